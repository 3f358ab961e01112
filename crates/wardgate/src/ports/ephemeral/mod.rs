//! Counters that may be lost: how often something happened lately. In memory, or shared through Redis.
//!
//! Losing them costs a few attempts, never a revocation or a lock: those are rows.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::time::Duration;

pub(crate) use memory::Memory;
#[cfg(feature = "redis")]
pub(crate) use redis::{Redis, check_url};

use super::BoxFuture;

/// How much is let through: never more than `requests` in any `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) requests: u32,
    pub(crate) window: Duration,
}

/// One event to be counted under a limit. The key is a keyed hash, so that nobody chooses where it falls and no
/// address or identifier lies in a shared store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) key: u128,
    pub(crate) limit: Limit,
}

/// The limit that had no room, and when it will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) limit: Limit,
    pub(crate) retry_after: Duration,
}

/// Counts events in sliding windows.
pub(crate) trait Ephemeral: Send + Sync {
    /// Counts one event under every demand, or under none and names the first that has no room. Whoever is let
    /// through has been counted before they look at anything: a thousand at once are no more than the limit
    /// (S-111).
    fn take<'a>(&'a self, demands: &'a [Demand]) -> BoxFuture<'a, Result<(), Refused>>;
}

/// Into how many slots a window is cut. Events are counted by the slot, and the slot in which the window began
/// still counts whole: at most a sixth longer than the window, and never an event too many.
const SLOTS: u64 = 6;

/// How many slots a window touches.
const TOUCHED: u64 = SLOTS + 1;

impl Limit {
    /// Milliseconds of one slot.
    fn slot_millis(&self) -> u64 {
        (u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX) / SLOTS).max(1)
    }
}

/// From `now` until the events of `slot` no longer count, both by one clock in milliseconds.
fn until_gone(slot: u64, slot_millis: u64, now: u64) -> Duration {
    Duration::from_millis((slot + TOUCHED).saturating_mul(slot_millis).saturating_sub(now))
}
