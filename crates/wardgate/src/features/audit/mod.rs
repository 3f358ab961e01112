//! The audit log: every security event is one record, in the transaction of the change.

pub(crate) mod http;
mod model;
mod service;
mod store;

pub(crate) use model::Entry;
pub use model::{Action, Actor, AuditEvent, AuditFilter, Outcome};
pub use service::Audit;
pub(crate) use service::record;
