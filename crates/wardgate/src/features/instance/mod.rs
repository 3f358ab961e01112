//! The database as a whole: whose master key opens it, and whether it belongs to development.

mod model;
mod service;
mod store;

pub use model::{InstanceError, Stage};
pub(crate) use service::{Moved, claim, mark_moved, unmark_moved};
