//! Seals everything in the database anew, under another master key.

mod model;
mod service;

pub use model::Resealed;
pub(crate) use service::{end, rows};
