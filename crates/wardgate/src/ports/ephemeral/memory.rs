//! Counters of one process, in a fixed amount of memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{BoxFuture, Demand, Ephemeral, Limit, Refused, TOUCHED, until_gone};
use crate::ports::Clock;

/// Locks, so that requests of different keys do not wait for each other.
const SHARDS: usize = 64;

/// Windows kept at most: about nine megabytes (S-116). What a table of a power of two takes before it grows.
const MAX_WINDOWS: usize = SHARDS * 2048 / 8 * 7;

/// Coarse windows of a shard for each limit, which the keys share that found no place.
const COARSE: u8 = 16;

/// A shard full of live windows is looked through for ended ones at most this often.
const SWEEP: Duration = Duration::from_secs(1);

/// Sliding windows in memory.
pub(crate) struct Memory {
    clock: Arc<dyn Clock>,
    shards: Box<[Mutex<Shard>]>,
    per_shard: usize,
    /// What part of each limit is this process's: one of so many.
    share: u32,
}

#[derive(Default)]
struct Shard {
    windows: HashMap<u128, Window>,
    coarse: HashMap<(&'static str, u8), Window>,
    swept_at: Option<Duration>,
}

/// The events of the last slots, by the slot's number.
#[derive(Debug, Clone, Copy)]
struct Window {
    newest: u64,
    slot_millis: u32,
    counts: [u32; TOUCHED as usize],
}

impl Window {
    fn new(limit: &Limit, now: u64) -> Self {
        let slot_millis = limit.slot_millis();
        Self {
            newest: now / slot_millis,
            slot_millis: u32::try_from(slot_millis).unwrap_or(u32::MAX),
            counts: [0; TOUCHED as usize],
        }
    }

    /// Takes the longest slots that any of its keys asks for: what is shared is stricter, never laxer.
    fn widen(&mut self, limit: &Limit, now: u64) {
        let counted = self.counts.iter().sum();
        let wider = Self::new(limit, now);
        if wider.slot_millis > self.slot_millis {
            *self = wider;
            self.counts[index(self.newest)] = counted;
        }
    }

    fn is_live(&self, now: u64) -> bool {
        now / u64::from(self.slot_millis) < self.newest + TOUCHED
    }

    /// Counts `cost` events if there is room for one more.
    fn take(&mut self, limit: &Limit, allowed: u32, cost: u32, now: u64) -> Result<(), Refused> {
        self.forget(now / u64::from(self.slot_millis));
        let mut counted: u32 = self.counts.iter().sum();
        if counted < allowed {
            self.counts[index(self.newest)] += cost;
            return Ok(());
        }
        let oldest = (self.newest + 1).saturating_sub(TOUCHED);
        let freeing = (oldest..self.newest).find(|slot| {
            counted -= self.counts[index(*slot)];
            counted < allowed
        });
        let freeing = freeing.unwrap_or(self.newest);
        Err(Refused { limit: *limit, retry_after: until_gone(freeing, self.slot_millis.into(), now) })
    }

    /// Empties the slots that have passed since the newest.
    fn forget(&mut self, slot: u64) {
        let passed = slot.saturating_sub(self.newest).min(TOUCHED);
        for step in 0..passed {
            self.counts[index(slot - step)] = 0;
        }
        self.newest = self.newest.max(slot);
    }

    fn give_back(&mut self) {
        let count = &mut self.counts[index(self.newest)];
        *count = count.saturating_sub(1);
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % TOUCHED).unwrap_or_default()
}

impl Shard {
    /// The window of a key. One that finds no place shares a coarse one with others: that is stricter, never
    /// laxer; and it stays there until the coarse one has run out, or its count would begin anew.
    fn window(&mut self, demand: &Demand, room: usize, clock: Duration) -> &mut Window {
        let now = millis(clock);
        let coarse = (demand.limit.name, demand.key.to_be_bytes()[0] % COARSE);
        let shares = self.coarse.get(&coarse).is_some_and(|window| window.is_live(now));
        if !self.windows.contains_key(&demand.key) && (shares || !self.has_room(room, clock)) {
            let window = self.coarse.entry(coarse).or_insert_with(|| Window::new(&demand.limit, now));
            window.widen(&demand.limit, now);
            return window;
        }
        self.windows.entry(demand.key).or_insert_with(|| Window::new(&demand.limit, now))
    }

    fn has_room(&mut self, room: usize, clock: Duration) -> bool {
        let recently = self.swept_at.is_some_and(|at| clock < at + SWEEP);
        if self.windows.len() >= room && !recently {
            self.swept_at = Some(clock);
            self.windows.retain(|_, window| window.is_live(millis(clock)));
        }
        self.windows.len() < room
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Memory {
    /// Counters of a process that takes one of `share` parts of each limit.
    pub(crate) fn new(clock: Arc<dyn Clock>, share: u32) -> Self {
        Self::with_capacity(clock, share, MAX_WINDOWS)
    }

    fn with_capacity(clock: Arc<dyn Clock>, share: u32, windows: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { clock, shards, per_shard: windows / SHARDS, share: share.max(1) }
    }

    /// Counts one event under every demand, or under none.
    pub(crate) fn take_now(&self, demands: &[Demand]) -> Result<(), Refused> {
        for (counted, demand) in demands.iter().enumerate() {
            if let Err(refused) = self.count(demand, 1) {
                for earlier in &demands[..counted] {
                    self.with(earlier, |window, _| window.give_back());
                }
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Whether one more event would have room; counts nothing.
    pub(crate) fn peek(&self, demand: &Demand) -> Result<(), Refused> {
        self.count(demand, 0)
    }

    fn count(&self, demand: &Demand, cost: u32) -> Result<(), Refused> {
        let allowed = (demand.limit.requests / self.share).max(1);
        self.with(demand, |window, now| window.take(&demand.limit, allowed, cost, now))
    }

    fn with<T>(&self, demand: &Demand, act: impl FnOnce(&mut Window, u64) -> T) -> T {
        // Never runs backwards: a wall clock set back would keep counts for as long.
        let clock = self.clock.monotonic();
        let shard = &self.shards[usize::from(demand.key.to_be_bytes()[15]) % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        act(shard.window(demand, self.per_shard, clock), millis(clock))
    }
}

impl Ephemeral for Memory {
    fn take<'a>(&'a self, demands: &'a [Demand]) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(std::future::ready(self.take_now(demands)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Timestamp;
    use crate::ports::ManualClock;
    use proptest::prelude::*;

    const MINUTE: Limit = Limit { name: "test", requests: 10, window: Duration::from_secs(60) };

    fn memory(share: u32, windows: usize) -> (Memory, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        (Memory::with_capacity(Arc::clone(&clock) as Arc<dyn Clock>, share, windows), clock)
    }

    /// A key that looks like a hash.
    fn demand(seed: u128) -> Demand {
        Demand { key: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_0c2b_4a1d_6b35), limit: MINUTE }
    }

    fn taken(memory: &Memory, demand: Demand, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(memory.take_now(&[demand]).is_ok())).sum()
    }

    #[test]
    fn a_window_takes_what_it_says_and_tells_when_it_takes_more() {
        let (memory, clock) = memory(1, 64 * 64);
        clock.advance(Duration::from_secs(9));
        assert_eq!(taken(&memory, demand(1), 50), 10);
        assert_eq!(taken(&memory, demand(2), 50), 10, "another key is another window");
        let refused = memory.take_now(&[demand(1)]).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(61));
        clock.advance(refused.retry_after - Duration::from_millis(1));
        assert!(memory.take_now(&[demand(1)]).is_err());
        clock.advance(Duration::from_millis(1));
        assert_eq!(taken(&memory, demand(1), 50), 10);
    }

    #[test]
    fn what_one_demand_refuses_no_other_counts() {
        let (memory, _) = memory(1, 64 * 64);
        assert_eq!(taken(&memory, demand(1), 50), 10);
        for _ in 0..20 {
            assert!(memory.take_now(&[demand(2), demand(1)]).is_err());
        }
        assert_eq!(taken(&memory, demand(2), 50), 10);
    }

    #[test]
    fn a_share_is_a_part_of_the_limit_and_at_least_one() {
        assert_eq!(taken(&memory(3, 64 * 64).0, demand(1), 50), 3);
        assert_eq!(taken(&memory(50, 64 * 64).0, demand(1), 50), 1);
    }

    #[test]
    fn a_million_keys_stay_within_the_cap_and_none_gets_more_than_its_limit() {
        // S-116
        let (memory, clock) = memory(1, MAX_WINDOWS);
        let mut through = 0;
        for seed in 1..=1_000_000 {
            through += u64::from(memory.take_now(&[demand(seed)]).is_ok());
        }
        let kept = |memory: &Memory| -> usize {
            memory
                .shards
                .iter()
                .map(|shard| shard.lock().unwrap())
                .map(|shard| shard.windows.len() + shard.coarse.len())
                .sum()
        };
        let coarse = SHARDS * usize::from(COARSE);
        assert!(kept(&memory) <= MAX_WINDOWS + coarse, "{}", kept(&memory));
        assert!(std::mem::size_of::<(u128, Window)>() <= 64);
        assert!(through <= (MAX_WINDOWS + coarse * 10) as u64, "{through}");
        // Who came late shares a window with others, and is refused rather than let through.
        assert!(memory.take_now(&[demand(1_000_001)]).is_err());
        // Who came early still has a window of their own, with what was counted in it.
        assert_eq!(taken(&memory, demand(1), 50), 9);
        clock.advance(Duration::from_secs(71));
        assert_eq!(taken(&memory, demand(1_000_001), 50), 10, "ended windows make room");
    }

    #[test]
    fn a_key_that_shared_a_window_does_not_begin_anew_in_one_of_its_own() {
        let (memory, clock) = memory(1, SHARDS);
        let (first, second) = (Demand { key: 64, ..demand(0) }, Demand { key: 128, ..demand(0) });
        assert_eq!(taken(&memory, first, 1), 1);
        clock.advance(Duration::from_secs(30));
        assert_eq!(taken(&memory, second, 50), 10, "in the coarse window");
        clock.advance(Duration::from_secs(41));
        assert_eq!(
            taken(&memory, second, 50),
            0,
            "the first has made room, but the second stays where it is"
        );
    }

    #[test]
    fn keys_of_different_windows_that_share_one_are_held_by_the_longest() {
        let (memory, clock) = memory(1, SHARDS);
        let hour = Limit { window: Duration::from_secs(3600), ..MINUTE };
        let (first, short) = (Demand { key: 64, ..demand(0) }, Demand { key: 128, ..demand(0) });
        let long = Demand { key: 192, limit: hour };
        assert_eq!(taken(&memory, first, 1), 1);
        assert_eq!(taken(&memory, short, 7), 7, "in the coarse window");
        assert_eq!(taken(&memory, long, 50), 3, "in the same, which now holds for an hour");
        clock.advance(Duration::from_secs(600));
        assert!(memory.take_now(&[long]).is_err());
        clock.advance(memory.take_now(&[long]).unwrap_err().retry_after);
        assert!(memory.take_now(&[long]).is_ok());
    }

    proptest! {
        /// Whatever the pace, no window of a minute holds more than the limit.
        #[test]
        fn never_more_than_the_limit_in_any_window(pauses in prop::collection::vec(0_u64..9_000, 1..200)) {
            let (memory, clock) = memory(1, 64 * 64);
            let mut through: Vec<u64> = Vec::new();
            for pause in pauses {
                clock.advance(Duration::from_millis(pause));
                if memory.take_now(&[demand(1)]).is_ok() {
                    through.push(millis(clock.monotonic()));
                }
            }
            for (position, at) in through.iter().enumerate() {
                let within = through[position..].iter().filter(|other| **other < at + 60_000).count();
                prop_assert!(within <= 10, "{within} from {at}");
            }
        }

        /// Waiting as long as the refusal says is enough.
        #[test]
        fn a_refusal_tells_the_truth(pauses in prop::collection::vec(0_u64..9_000, 1..100)) {
            let (memory, clock) = memory(1, 64 * 64);
            for pause in pauses {
                clock.advance(Duration::from_millis(pause));
                if let Err(refused) = memory.take_now(&[demand(1)]) {
                    clock.advance(refused.retry_after);
                    prop_assert!(memory.take_now(&[demand(1)]).is_ok());
                }
            }
        }
    }
}
