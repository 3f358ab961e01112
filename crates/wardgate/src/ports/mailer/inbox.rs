//! Mails that a developer reads in the log and on a page, instead of in a mailbox.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{BoxFuture, Mail, MailError, Mailer};

/// How many mails are kept.
const KEPT: usize = 50;

/// Writes every mail to the log, secrets and all, and keeps the newest: for development only.
#[derive(Debug, Default)]
pub struct DevInbox(Mutex<VecDeque<Mail>>);

impl DevInbox {
    /// The newest mails, the newest first.
    pub fn newest(&self) -> Vec<Mail> {
        self.mails().iter().cloned().collect()
    }

    fn mails(&self) -> MutexGuard<'_, VecDeque<Mail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailer for DevInbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            tracing::info!(to = %mail.to, subject = mail.subject, "a mail:\n{}", mail.text);
            let mut mails = self.mails();
            mails.push_front(mail.clone());
            mails.truncate(KEPT);
            Ok(())
        })
    }
}
