//! One-use links in mails: whoever presents the token reads the mail of that address.

mod model;
mod service;
mod store;

pub use model::LinkUrls;
pub(crate) use model::is_safe_page;
pub(crate) use model::{Link, Purpose};
pub(crate) use service::{Links, MailedToken, NewLink, Receiver, find, forget, issue, take};
