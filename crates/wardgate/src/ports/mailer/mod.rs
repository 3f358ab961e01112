//! What sends mail: an SMTP server, a list for tests, or an inbox for development.

mod inbox;
mod recording;
#[cfg(feature = "smtp")]
mod smtp;

use std::fmt;

pub use inbox::DevInbox;
pub use recording::RecordingMailer;
#[cfg(feature = "smtp")]
pub use smtp::{SmtpMailer, SmtpSettings, SmtpTls};

use super::BoxFuture;
use crate::kernel::email::Email;

/// One mail to one recipient, the same in plain text and in HTML.
#[derive(Clone)]
pub struct Mail {
    /// The same at each attempt, so that a receiver can tell a repetition.
    pub id: String,
    /// The one recipient.
    pub to: Email,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as an HTML page.
    pub html: String,
}

impl fmt::Debug for Mail {
    /// Without the texts, whose links are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail could not be sent; goes to the log, and the mail is tried again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct MailError(pub String);

/// Sends mail. It is called by a background task, never in a transaction; returning `Ok` means that somebody else is
/// answerable for the mail from now on.
pub trait Mailer: Send + Sync {
    /// Sends one mail.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>>;
}
