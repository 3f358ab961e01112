//! The audit log: every security event is one record, in the transaction of the change. Afterwards it is linked to the
//! record before it, so that nobody changes the past unseen.

mod chain;
mod export;
mod feed;
pub(crate) mod http;
mod model;
mod seal;
mod service;
mod sink;
mod store;
mod verify;
#[cfg(feature = "webhook")]
mod webhook;

pub use export::AuditExport;
pub(crate) use model::Entry;
pub use model::{Action, Actor, AuditCheck, AuditEvent, AuditFilter, BrokenRecord, ChainFault, Outcome};
pub use service::Audit;
pub(crate) use service::{AuditSettings, forget, record};
pub use sink::{Delivery, EventSink, FileSink, SinkError};
#[cfg(feature = "webhook")]
pub use webhook::WebhookSink;
