//! Row 1: what the outside world provides. Object-safe, held as `Arc<dyn …>`.

pub(crate) mod clock;
pub(crate) mod ephemeral;
#[cfg(feature = "webhook")]
pub(crate) mod outbound;

pub use clock::{Clock, ManualClock, SystemClock};
#[cfg(feature = "webhook")]
pub use outbound::{Answer, Outbound, OutboundError, Resolved, Resolver};
pub use wardgate_crypto::{Rng, SeededRng, SystemRng};
