//! Tenants: the isolation boundary, what each is called and where it is reached.

pub(crate) mod http;
mod model;
mod service;
mod store;

pub use model::{Tenant, TenantChange};
pub(crate) use model::{check_name, check_slug};
pub use service::Tenants;
pub(crate) use service::{ensure_default, forget, insert, list_ids, record};
