//! The limits, and what the memory of an account's failures means.

use std::time::Duration;

use crate::kernel::tenant::OwnLimits;
use crate::kernel::time::Timestamp;

/// How much is let through before the answer is 429. Numbers are never exceeded in any window of their time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Whether anything is limited at all.
    pub enabled: bool,
    /// Sign-ins to one account from one source, a minute.
    pub sign_in_account: u32,
    /// Sign-ins from one source, a minute.
    pub sign_in_source: u32,
    /// Sign-ins to one account from all sources together that it never signed in from, an hour.
    pub sign_in_strangers: u32,
    /// Sign-ins in one tenant from all sources together that their account never signed in from, a minute.
    pub sign_in_tenant: u32,
    /// Registrations from one source, a minute.
    pub register: u32,
    /// Refreshes from one source, a minute.
    pub refresh: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            sign_in_account: 10,
            sign_in_source: 30,
            sign_in_strangers: 100,
            sign_in_tenant: 1200,
            register: 30,
            refresh: 600,
        }
    }
}

impl RateLimits {
    /// No limits: for tests that hammer on purpose. Nothing then stands between a stranger and guessing.
    pub fn off() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// As one tenant has them.
    pub(crate) fn of_tenant(&self, own: OwnLimits) -> Self {
        Self {
            enabled: self.enabled,
            sign_in_account: own.sign_in_account.unwrap_or(self.sign_in_account),
            sign_in_source: own.sign_in_source.unwrap_or(self.sign_in_source),
            sign_in_strangers: own.sign_in_strangers.unwrap_or(self.sign_in_strangers),
            sign_in_tenant: own.sign_in_tenant.unwrap_or(self.sign_in_tenant),
            register: own.register.unwrap_or(self.register),
            refresh: own.refresh.unwrap_or(self.refresh),
        }
    }

    /// What is wrong with the numbers.
    pub(crate) fn faults(&self) -> Vec<String> {
        let numbers = [
            ("sign_in_account", self.sign_in_account, MAX_FAILURES),
            ("sign_in_source", self.sign_in_source, MAX_REQUESTS),
            ("sign_in_strangers", self.sign_in_strangers, MAX_FAILURES),
            ("sign_in_tenant", self.sign_in_tenant, MAX_REQUESTS),
            ("register", self.register, MAX_REQUESTS),
            ("refresh", self.refresh, MAX_REQUESTS),
        ];
        let wrong = numbers.into_iter().filter(|(_, number, most)| !(1..=*most).contains(number));
        wrong.map(|(name, _, most)| format!("rate_limits: {name} must be from 1 to {most}")).collect()
    }
}

/// The most that any limit may be set to.
const MAX_REQUESTS: u32 = 1_000_000;

/// Consecutive failures that are evaluated at most, in one bucket of one account (NIST SP 800-63B-4 section 3.2.2).
pub(super) const MAX_FAILURES: u32 = 100;

/// Failures that cost no waiting: people mistype.
const FREE_FAILURES: u32 = 10;

/// The longest wait between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// How long after the last failure they are forgotten.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a source that signed in is known to the account.
pub(super) const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The consecutive failures of one bucket of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u32,
    pub(super) last_at: Timestamp,
}

/// What may happen to the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing stands against the account: a failure will be the first.
    Fresh,
    /// It counts as a failure before it is looked at, so that of many at once each finds the others counted.
    Claim,
    /// Not before this has passed.
    Wait(Duration),
}

/// How long after the last of `count` failures the next attempt is looked at: none for the first, then doubling.
fn delay(count: u32) -> Duration {
    match count.checked_sub(FREE_FAILURES) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(1 << doublings.min(12)).min(LONGEST_DELAY),
    }
}

/// What the failures so far mean for an attempt at `now`.
pub(super) fn decide(failures: Option<Failures>, now: Timestamp) -> Decision {
    let Some(Failures { count, last_at }) = failures else { return Decision::Fresh };
    let since = now.since(last_at);
    if since >= FORGOTTEN_AFTER {
        return Decision::Fresh;
    }
    let wait = if count >= MAX_FAILURES { FORGOTTEN_AFTER } else { delay(count) };
    match wait.checked_sub(since) {
        Some(rest) if rest > Duration::ZERO => Decision::Wait(rest),
        _ => Decision::Claim,
    }
}

/// Whether a source that last signed in then is still known.
pub(super) fn is_known(last_success: Option<Timestamp>, now: Timestamp) -> bool {
    last_success.is_some_and(|at| now.since(at) < KNOWN_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn after(count: u32, seconds: u64) -> Decision {
        decide(Some(Failures { count, last_at: START }), START.plus(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_delay_grows_is_capped_and_is_forgotten() {
        // S-114
        assert_eq!(decide(None, START), Decision::Fresh);
        assert_eq!(after(9, 0), Decision::Claim);
        let wait = |count| match after(count, 0) {
            Decision::Wait(wait) => wait.as_secs(),
            other => panic!("{count}: {other:?}"),
        };
        assert_eq!([10, 11, 12, 15, 21].map(wait), [1, 2, 4, 32, 2048]);
        assert_eq!([22, 50, 99].map(wait), [3600; 3]);
        assert_eq!(after(12, 3), Decision::Wait(Duration::from_secs(1)));
        assert_eq!(after(12, 4), Decision::Claim);
        assert_eq!(after(99, 3600), Decision::Claim);
        assert_eq!(after(99, 24 * 60 * 60), Decision::Fresh);
    }

    #[test]
    fn a_hundred_failures_are_the_last_for_a_day() {
        // S-113
        for count in [100, 101] {
            assert_eq!(after(count, 3600), Decision::Wait(Duration::from_secs(23 * 60 * 60)));
            assert_eq!(after(count, 24 * 60 * 60), Decision::Fresh);
        }
    }

    #[test]
    fn a_clock_set_back_forgives_nothing() {
        let failures = Some(Failures { count: 12, last_at: START.plus(Duration::from_secs(500)) });
        assert_eq!(decide(failures, START), Decision::Wait(Duration::from_secs(4)));
    }

    #[test]
    fn a_source_is_known_for_thirty_days() {
        let days = |days: u64| START.plus(Duration::from_secs(days * 24 * 60 * 60));
        assert!(!is_known(None, START));
        assert!(is_known(Some(START), days(29)));
        assert!(!is_known(Some(START), days(30)));
    }

    #[test]
    fn numbers_out_of_range_are_all_told() {
        assert!(RateLimits::default().faults().is_empty());
        let wrong = RateLimits { sign_in_strangers: 101, refresh: 0, ..RateLimits::default() };
        assert_eq!(wrong.faults().len(), 2);
    }
}
