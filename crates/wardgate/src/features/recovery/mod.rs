//! What the owner of an address does by mail: prove it, change it, set another password, sign in.

pub(crate) mod http;
mod service;

pub use service::Recovery;
