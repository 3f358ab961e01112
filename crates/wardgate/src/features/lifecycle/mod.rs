//! What is done to users by others, with all its consequences.

pub(crate) mod http;
mod service;

pub use service::{Lifecycle, UserChange};
