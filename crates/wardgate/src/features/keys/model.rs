//! What is due for a set of signing keys, decided from their times alone.

use std::time::Duration;

use serde::Serialize;
use wardgate_verify::Algorithm;

use crate::kernel::time::Timestamp;

/// How long a key is published before it signs: verifiers cache the JWKS (S-141).
pub(crate) const PUBLISH_AHEAD: Duration = Duration::from_secs(60 * 60);

/// Clock skew that verifiers may allow; a token can be accepted this much after its end.
const SKEW: Duration = Duration::from_secs(60);

/// One open (not retired) key, as far as planning is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenKey {
    pub(crate) kid: String,
    /// Whether it is what the configuration asks for: the algorithm, and for HS256 the secret.
    pub(crate) as_configured: bool,
    pub(crate) activates_at: Timestamp,
}

/// What the configuration says about key ages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// How long a key signs before the next takes over.
    pub(crate) rotation: Duration,
    /// How long an access token lives: an old key is kept that much longer.
    pub(crate) token_life: Duration,
    /// Whether keys come from the configuration (HS256) rather than from us.
    pub(crate) shared_secret: bool,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Make a key that signs from then on.
    pub(crate) make: Option<Timestamp>,
    /// Retire these: their last token has ended.
    pub(crate) retire: Vec<String>,
}

/// Decides what is due at `now` for `open`, in any order.
pub(crate) fn plan(open: &[OpenKey], schedule: Schedule, now: Timestamp) -> Plan {
    let mut by_age: Vec<&OpenKey> = open.iter().collect();
    by_age.sort_by(|a, b| (a.activates_at, &a.kid).cmp(&(b.activates_at, &b.kid)));
    Plan { make: due(&by_age, schedule, now), retire: outlived(&by_age, schedule, now) }
}

fn due(by_age: &[&OpenKey], schedule: Schedule, now: Timestamp) -> Option<Timestamp> {
    let newest = by_age.last();
    let Some(signing) = by_age.iter().rfind(|key| key.activates_at <= now) else { return Some(now) };
    let successor_waits = newest.is_some_and(|key| key.activates_at > now && key.as_configured);
    if successor_waits {
        None
    } else if !signing.as_configured {
        // Nobody fetches a shared secret from a JWKS, so there is nothing to publish ahead.
        Some(if schedule.shared_secret { now } else { now.plus(PUBLISH_AHEAD) })
    } else if !schedule.shared_secret && now.since(signing.activates_at) + PUBLISH_AHEAD >= schedule.rotation
    {
        Some(now.plus(PUBLISH_AHEAD))
    } else {
        None
    }
}

fn outlived(by_age: &[&OpenKey], schedule: Schedule, now: Timestamp) -> Vec<String> {
    let kept = schedule.token_life + SKEW;
    by_age
        .windows(2)
        .filter(|pair| pair[1].activates_at.plus(kept) <= now)
        .map(|pair| pair[0].kid.clone())
        .collect()
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, not yet signing.
    Published,
    /// Signs new tokens.
    Signing,
    /// Signs no more, verifies until its last token has ended.
    Verifying,
    /// Withdrawn: its tokens are refused.
    Retired,
}

/// A signing key as it is shown; nothing secret.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// The key id, as in a token's header.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub activates_at: Timestamp,
    /// When it was withdrawn.
    pub retired_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const SCHEDULE: Schedule = Schedule {
        rotation: Duration::from_secs(90 * DAY),
        token_life: Duration::from_secs(15 * 60),
        shared_secret: false,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    fn key(kid: &str, activates: u64, as_configured: bool) -> OpenKey {
        OpenKey { kid: kid.to_owned(), as_configured, activates_at: at(activates) }
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(plan(&[], SCHEDULE, at(7)), Plan { make: Some(at(7)), retire: vec![] });
        // Only a key that does not sign yet: an emergency must not leave an hour without tokens.
        assert_eq!(plan(&[key("a", 100, true)], SCHEDULE, at(7)).make, Some(at(7)));
    }

    #[test]
    fn a_successor_is_published_an_hour_before_the_rotation_is_due() {
        let old = [key("a", 0, true)];
        assert_eq!(plan(&old, SCHEDULE, at(90 * DAY - 3601)).make, None);
        assert_eq!(plan(&old, SCHEDULE, at(90 * DAY - 3600)).make, Some(at(90 * DAY)));
        let both = [key("b", 90 * DAY, true), key("a", 0, true)];
        assert_eq!(plan(&both, SCHEDULE, at(90 * DAY - 10)), Plan::default());
    }

    #[test]
    fn an_old_key_is_kept_until_its_last_token_has_ended() {
        let both = [key("a", 0, true), key("b", 1000, true)];
        assert_eq!(plan(&both, SCHEDULE, at(1000 + 15 * 60 + 59)).retire, Vec::<String>::new());
        assert_eq!(plan(&both, SCHEDULE, at(1000 + 15 * 60 + 60)).retire, ["a"]);
    }

    #[test]
    fn another_algorithm_in_the_configuration_takes_over_after_being_published() {
        let old = [key("a", 0, false)];
        assert_eq!(plan(&old, SCHEDULE, at(50)).make, Some(at(50 + 3600)));
        let both = [key("a", 0, false), key("b", 50 + 3600, true)];
        assert_eq!(plan(&both, SCHEDULE, at(60)), Plan::default());
    }

    #[test]
    fn a_shared_secret_takes_over_at_once_and_is_never_rotated_by_us() {
        let shared = Schedule { shared_secret: true, ..SCHEDULE };
        assert_eq!(plan(&[key("a", 0, false)], shared, at(50)).make, Some(at(50)));
        assert_eq!(plan(&[key("a", 0, true)], shared, at(900 * DAY)).make, None);
    }
}
