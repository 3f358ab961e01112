//! API keys: made, checked, limited, rotated, revoked.

pub(crate) mod http;
mod model;
mod service;
mod store;
mod usage;

pub use model::{ApiKey, ApiKeyChange, ApiKeyView, Period, Quota, RateLimit};
pub use service::{ApiKeys, NewApiKey};
pub(crate) use service::{end_all_of, find, forget, purge, revoke_every};
