//! Signing in: proof, then session, then tokens.

pub(crate) mod http;
mod service;

pub use service::SignIn;
