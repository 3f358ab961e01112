//! Row 1: what the outside world provides. Object-safe, held as `Arc<dyn …>`.

pub(crate) mod clock;
pub(crate) mod ephemeral;

pub use clock::{Clock, ManualClock, SystemClock};
pub use wardgate_crypto::{Rng, SeededRng, SystemRng};
