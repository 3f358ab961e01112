//! Who a credential stands for: users and service accounts, with their rights at this request.

pub(crate) mod http;
mod model;
mod service;

pub(crate) use model::Standing;
pub use model::{Authenticated, Holder};
pub(crate) use service::resolve;
