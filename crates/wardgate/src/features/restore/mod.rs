//! What ends when an older state of the database is put back.

mod model;
mod service;

pub use model::{ApiKeysAfter, Ended};
pub(crate) use service::end_all;
