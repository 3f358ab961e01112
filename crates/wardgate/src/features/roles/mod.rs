//! Roles and permissions: the built-in ones, those of a tenant's own, and who has which.

mod custom;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub(crate) use custom::rewrite;
pub use custom::{CustomRoles, RoleChange};
pub use model::{Authority, BuiltinRole, Caller, CustomRole, Limit, Rights, Roles, Scope, UnknownRole};
pub(crate) use model::{MAX_ROLES, check_permission};
pub(crate) use service::{
    assign, assign_first, assign_found, forget, hold, holders, of, of_all, own_names, take_all, users_with,
};
