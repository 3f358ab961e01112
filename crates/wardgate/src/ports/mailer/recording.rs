//! Mails that go nowhere, for tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{BoxFuture, Mail, MailError, Mailer};

/// Keeps every mail for a test to look at.
#[derive(Debug, Default)]
pub struct RecordingMailer {
    sent: Mutex<Vec<Mail>>,
    is_down: AtomicBool,
}

impl RecordingMailer {
    /// The mails since the last time, oldest first.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.sent())
    }

    /// From now on every mail fails, or none.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    fn sent(&self) -> MutexGuard<'_, Vec<Mail>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailer for RecordingMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            if self.is_down.load(Ordering::Relaxed) {
                return Err(MailError("the mail server is down".to_owned()));
            }
            self.sent().push(mail.clone());
            Ok(())
        })
    }
}
