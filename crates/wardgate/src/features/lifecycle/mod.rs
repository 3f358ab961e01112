//! What is done to users by others, with all its consequences.

pub(crate) mod http;
mod service;
mod tenants;

pub use service::{Lifecycle, UserChange};
