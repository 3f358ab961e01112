//! Access tokens and refresh token families.

pub(crate) mod http;
mod model;
mod refresh;
mod service;
mod store;

pub use model::{ExchangedToken, TokenPair};
pub(crate) use model::{FIRST_PARTY, Grant};
pub use service::Tokens;
pub(crate) use service::{FirstToken, TokenSettings, issue};
