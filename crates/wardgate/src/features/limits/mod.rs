//! How often may be guessed: by a source, at an account, in a tenant.

mod model;
mod refusals;
mod service;
mod store;

pub use model::RateLimits;
pub(crate) use service::{Attempt, Limits, Route, forget, is_from_new_source, note_failure, note_success};
