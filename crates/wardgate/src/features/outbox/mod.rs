//! Mails that wait to be sent: written with the change that they tell of, sent after its commit.

mod letter;
mod model;
mod service;
mod store;

pub(crate) use model::LetterKind;
pub(crate) use service::{Letter, MAILS_PER_RECIPIENT, Outbox, forget, post};
