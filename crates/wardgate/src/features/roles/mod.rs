//! Roles and permissions: the built-in ones, those of a tenant's own, and who has which.

mod custom;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub use custom::{CustomRoles, RoleChange};
pub(crate) use model::check_permission;
pub use model::{Authority, BuiltinRole, Caller, CustomRole, Limit, Rights, Roles, Scope, UnknownRole};
pub(crate) use service::{assign, assign_first, forget, holders, of, of_all, take_all};
