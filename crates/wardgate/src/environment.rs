//! What every service stands on: the database and the sources of time and chance.

use std::sync::Arc;

use wardgate_store::Db;

use crate::kernel::time::Timestamp;
use crate::ports::meter::Meter;
use crate::ports::{Clock, Rng};

/// The database, the clock, the source of randomness and the counters of one gate.
pub(crate) struct Environment {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) meter: Arc<Meter>,
}

impl Environment {
    /// The wall clock's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` fresh random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }
}
