//! Roles and permissions. So far the built-in ones.

mod model;
mod service;
mod store;

pub use model::{BuiltinRole, Roles, UnknownRole};
pub(crate) use service::{assign_only, holders, of, of_all};
