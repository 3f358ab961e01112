//! Signing keys: made, published ahead of use, rotated, retired; the JWKS.

pub(crate) mod http;
mod model;
mod service;
mod store;
mod verified;

pub use model::{KeyState, KeyView};
pub use service::Keys;
pub(crate) use service::{KeySettings, is_open, signing_kid};
