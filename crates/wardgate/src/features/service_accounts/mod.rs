//! Service accounts: machine principals with roles and no password.

pub(crate) mod http;
mod model;
mod service;
mod store;

pub use model::{ServiceAccount, ServiceAccountView};
pub use service::{Machine, ServiceAccountChange, ServiceAccounts};
pub(crate) use service::{delete, find, forget, lock};
