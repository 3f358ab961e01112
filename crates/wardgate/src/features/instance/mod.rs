//! The database as a whole: which master key it is under, the keys that outlive it, and whether it belongs to
//! development.

mod model;
mod rotation;
mod service;
mod store;

pub(crate) use model::KeyUse;
pub use model::{InstanceError, Stage};
pub(crate) use rotation::{
    Resealing, SealedRows, begin_rotation, count_behind, end_rotation, follow, tenants_behind,
};
pub(crate) use service::{LastingKeys, Moved, claim, mark_moved, unmark_moved};
