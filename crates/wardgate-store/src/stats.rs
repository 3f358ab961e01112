//! What a database has done, for whoever watches it: a few atomic additions, and no lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Db`](crate::Db) has done since it was opened, and what waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bodies of `write` that ran; one that was run again counts again.
    pub writes: u64,
    /// Commits. On SQLite one serves all that waited, so that `writes / commits` is how many share one.
    pub commits: u64,
    /// Calls that the database failed: it was full, away, busy or broken. A body's own refusal is none.
    pub failures: u64,
    /// Calls that wait: on SQLite for the writer, on PostgreSQL for a connection.
    pub waiting: u64,
}

/// Where they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    writes: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    waiting: AtomicU64,
}

impl Counts {
    pub(crate) fn wrote(&self, bodies: usize) {
        self.writes.fetch_add(bodies as u64, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, calls: usize) {
        self.failures.fetch_add(calls as u64, Ordering::Relaxed);
    }

    /// Before the call is put where it waits, or it could leave first.
    pub(crate) fn came(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            writes: self.writes.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}
