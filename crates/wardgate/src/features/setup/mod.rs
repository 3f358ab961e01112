//! The first superadmin: a one-use link instead of a default account (S-017).

pub(crate) mod http;
mod service;
mod store;

pub use service::Setup;
pub(crate) use service::end_link;
