//! Sessions: one sign-in on one device, and the family of its refresh tokens.

mod browser;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub use browser::BrowserSessions;
pub(crate) use browser::NewCookie;
pub(crate) use model::EndReason;
pub use model::Session;
pub use service::Sessions;
pub(crate) use service::{
    NewSession, end, end_all_of, end_as_rights_rise, end_every, find, find_by_cookie, forget, open, prove,
    purge, touch,
};
