//! Tenants: the isolation boundary. Only `default` is reachable so far.

mod service;
mod store;

pub(crate) use service::ensure_default;

/// The slug of the tenant that answers at the root.
pub(crate) const DEFAULT_SLUG: &str = "default";
