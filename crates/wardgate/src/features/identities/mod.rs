//! Identity links: users as other providers know them.

mod model;
mod service;
mod store;

pub use model::{Identity, IdentityView};
pub use service::Identities;
pub(crate) use service::{NewIdentity, confirm, end_all_of, find, forget, insert, list_of, note_use, remove};
