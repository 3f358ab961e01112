//! Row 1: what the outside world provides. Object-safe, held as `Arc<dyn …>`.

#[cfg(feature = "acme")]
mod authority;
pub(crate) mod clock;
pub(crate) mod ephemeral;
pub(crate) mod mailer;
pub(crate) mod meter;
#[cfg(any(feature = "acme", feature = "federation", feature = "webhook"))]
pub(crate) mod outbound;
pub(crate) mod provider;

use std::future::Future;
use std::pin::Pin;

pub use clock::{Clock, ManualClock, SystemClock};
pub use mailer::{DevInbox, Mail, MailError, Mailer, RecordingMailer};
#[cfg(feature = "smtp")]
pub use mailer::{SmtpMailer, SmtpSettings, SmtpTls};
#[cfg(any(feature = "acme", feature = "federation", feature = "webhook"))]
pub use outbound::{Answer, Outbound, OutboundError, Resolved, Resolver};
pub use provider::{Redirection, Returned, UpstreamError, UpstreamIdentity, UpstreamProvider};
pub use wardgate_crypto::{Rng, SeededRng, SystemRng};

/// A future in a box, so that a port stays object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
