//! Signing keys: made, published ahead of use, rotated, retired; the JWKS.

pub(crate) mod http;
mod material;
mod model;
mod rotation;
mod service;
mod signature;
mod store;
mod verified;

pub use model::{KeyState, KeyView};
pub use service::Keys;
pub(crate) use service::{KeySettings, forget, is_open, retire_every, signing_kid};
pub(crate) use verified::Verified;
