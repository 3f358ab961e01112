//! When a certificate is renewed, and what an authority's answers ask for.

use std::time::Duration;

use instant_acme::{AuthorizationStatus, ChallengeType};
use wardgate_crypto::CertificateFacts;

use crate::kernel::time::Timestamp;

/// How long whoever began an order has to end it; then it is anybody's again.
pub(super) const LEASE: Duration = Duration::from_secs(5 * 60);

/// How long an order may take. Shorter than the lease, or two nodes would be at it.
pub(super) const LONGEST_ORDER: Duration = Duration::from_secs(4 * 60);

/// How long a certificate that nobody asks for any more is remembered after its end.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long to wait after so many failures in a row. Authorities refuse everything for hours where there were many: the
/// largest takes five failures of a name an hour.
const DELAYS: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// When it is tried again after `failures` in a row.
pub(super) fn delay(failures: i64) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(0);
    DELAYS[index.min(DELAYS.len() - 1)]
}

/// The least time between two orders that go well, however an authority dates what it gives, and whatever the clock here
/// says: authorities shut out who asks without end.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The same where certificates are good for less than a few hours.
const LEAST_PAUSE_EVER: Duration = Duration::from_secs(60);

/// How far ahead of the clock here a certificate may begin: authorities rather date theirs back.
const LATEST_BEGINNING: Duration = Duration::from_secs(60 * 60);

/// No more than this of what somebody else wrote stands in a line of the log, in characters.
const LONGEST_SAYING: usize = 500;

/// When the next certificate is asked for: after two thirds of this one's time, so that the last third is left for what
/// may fail.
pub(super) fn renew_at(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> Timestamp {
    let life = not_after.since(not_before);
    not_before.plus(life / 3 * 2).max(now.plus(LEAST_PAUSE.min(life / 3).max(LEAST_PAUSE_EVER)))
}

/// When the order is anybody's again whose node says nothing any more, after `failures` in a row before it: a crash in
/// each is to wait longer each time, too.
pub(super) fn after_silence(failures: i64) -> Duration {
    delay(failures.saturating_add(1)).max(LEASE)
}

/// What is wrong with a certificate that an authority gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the certificate is not for {0}")]
    Lacks(String),
    #[error("the certificate has ended already, at {0}: is the clock right?")]
    Ended(Timestamp),
    #[error("the certificate begins only at {0}: is the clock right?")]
    Ahead(Timestamp),
}

/// Whether a certificate is what was asked for. One that is not takes no other's place.
pub(super) fn fits(given: &CertificateFacts, asked: &[String], now: Timestamp) -> Result<(), Unfit> {
    let missing: Vec<_> =
        asked.iter().filter(|name| !given.names.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Unfit::Lacks(missing.join(", ")));
    }
    let (not_before, not_after) = validity(given);
    if not_after <= now {
        return Err(Unfit::Ended(not_after));
    }
    if not_before > now.plus(LATEST_BEGINNING) {
        return Err(Unfit::Ahead(not_before));
    }
    Ok(())
}

/// From when until when a certificate is good.
pub(super) fn validity(facts: &CertificateFacts) -> (Timestamp, Timestamp) {
    let seconds = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    (seconds(facts.not_before), seconds(facts.not_after))
}

/// What somebody else wrote, fit for a line of the log: an authority's words could else feign lines of ours.
pub(super) fn said(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut said: String = characters.by_ref().take(LONGEST_SAYING).collect();
    if characters.next().is_some() {
        said.push('…');
    }
    said
}

/// What a name of an order needs before the order goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// Nothing: the authority still knows from last time.
    Nothing,
    /// A proof in a TLS handshake (RFC 8737).
    Proof,
}

/// Why a name cannot be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unprovable {
    #[error("the authority does not offer tls-alpn-01, the only proof that this server gives")]
    NotOffered,
    #[error("the authority has closed the authorization of this name")]
    Closed,
}

/// What an authorization asks for (RFC 8555 section 7.1.6).
pub(super) fn needed<'a>(
    status: AuthorizationStatus,
    mut offered: impl Iterator<Item = &'a ChallengeType>,
) -> Result<Needed, Unprovable> {
    match status {
        AuthorizationStatus::Valid => Ok(Needed::Nothing),
        AuthorizationStatus::Pending if offered.any(|kind| *kind == ChallengeType::TlsAlpn01) => {
            Ok(Needed::Proof)
        }
        AuthorizationStatus::Pending => Err(Unprovable::NotOffered),
        _ => Err(Unprovable::Closed),
    }
}

/// Whether an authority's refusal (RFC 8555 section 6.7) says that it does not know the account, as when its own data
/// were lost: the next attempt makes another.
pub(super) fn forgets_the_account(problem: Option<&str>) -> bool {
    problem == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_next_is_asked_for_after_two_thirds() {
        let begin = Timestamp::from_millis(1_800_000_000_000);
        for (life, renewed) in [(90 * DAY, 60 * DAY), (6 * DAY, 4 * DAY), (3 * DAY, 2 * DAY)] {
            assert_eq!(renew_at(begin, begin.plus(life), begin), begin.plus(renewed));
        }
    }

    #[test]
    fn no_date_and_no_clock_make_it_ask_without_end() {
        let begin = Timestamp::from_millis(1_800_000_000_000);
        for (life, now) in [
            (90 * DAY, begin.plus(60 * DAY)),
            (90 * DAY, begin.plus(5000 * DAY)),
            (3 * DAY, begin.plus(3 * DAY)),
        ] {
            assert_eq!(renew_at(begin, begin.plus(life), now), now.plus(LEAST_PAUSE), "{life:?}");
        }
        for (life, pause) in [(120 * 60, 40 * 60), (15 * 60, 5 * 60), (15, 60), (0, 60)] {
            let (end, pause) = (begin.plus(Duration::from_secs(life)), Duration::from_secs(pause));
            assert_eq!(renew_at(begin, end, end), end.plus(pause), "{life}");
        }
    }

    #[test]
    fn what_was_not_asked_for_is_told() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = names(&["a.example", "b.example"]);
        let given = CertificateFacts {
            names: names(&["b.example", "a.example", "c.example"]),
            not_before: 1_799_999_000,
            not_after: 1_800_000_001,
        };
        assert_eq!(fits(&given, &asked, now), Ok(()));
        let fewer = CertificateFacts { names: names(&["a.example"]), ..given.clone() };
        assert_eq!(fits(&fewer, &asked, now), Err(Unfit::Lacks("b.example".to_owned())));
        let ended = CertificateFacts { not_after: 1_800_000_000, ..given.clone() };
        assert_eq!(fits(&ended, &asked, now), Err(Unfit::Ended(now)));
        let from = |not_before| CertificateFacts { not_before, not_after: 1_900_000_000, ..given.clone() };
        assert_eq!(fits(&from(1_800_003_600), &asked, now), Ok(()));
        let ahead = Timestamp::from_millis(1_800_003_601_000);
        assert_eq!(fits(&from(1_800_003_601), &asked, now), Err(Unfit::Ahead(ahead)));
        let far = CertificateFacts { not_after: i64::MAX, ..from(i64::MAX) };
        assert!(matches!(fits(&far, &asked, now), Err(Unfit::Ahead(_))));
    }

    #[test]
    fn what_an_authority_says_is_one_line_and_no_book() {
        assert_eq!(said("no such\r\nname\u{1b}[2J"), "no such  name [2J");
        assert_eq!(said(&"ä".repeat(500)), "ä".repeat(500));
        assert_eq!(said(&"ä".repeat(501)), format!("{}…", "ä".repeat(500)));
    }

    #[test]
    fn who_fails_waits_longer_each_time_and_never_asks_a_name_more_than_four_times_an_hour() {
        let delays: Vec<_> = (1..=9).map(delay).collect();
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!((delay(0), delay(1), delay(i64::MAX)), (DELAYS[0], DELAYS[0], DELAYS[4]));
        let within_the_hour = delays.iter().scan(Duration::ZERO, |sum, delay| {
            *sum += *delay;
            Some(*sum)
        });
        assert!(within_the_hour.take_while(|sum| *sum < Duration::from_secs(3600)).count() < 4);
        // Who dies each time waits no less, and never so little that two are at it.
        assert!((0..9).all(|failures| after_silence(failures) >= delay(failures + 1)));
        assert!((0..9).all(|failures| after_silence(failures) >= LEASE && LEASE > LONGEST_ORDER));
    }

    #[test]
    fn what_each_state_of_an_authorization_asks_for() {
        use AuthorizationStatus::{Deactivated, Expired, Invalid, Pending, Revoked, Valid};
        let all = [ChallengeType::Http01, ChallengeType::TlsAlpn01];
        let table = [
            (Valid, &all[..], Ok(Needed::Nothing)),
            (Valid, &[], Ok(Needed::Nothing)),
            (Pending, &all[..], Ok(Needed::Proof)),
            (Pending, &all[..1], Err(Unprovable::NotOffered)),
            (Pending, &[], Err(Unprovable::NotOffered)),
            (Invalid, &all[..], Err(Unprovable::Closed)),
            (Revoked, &all[..], Err(Unprovable::Closed)),
            (Expired, &all[..], Err(Unprovable::Closed)),
            (Deactivated, &all[..], Err(Unprovable::Closed)),
        ];
        for (status, offered, expected) in table {
            assert_eq!(needed(status, offered.iter()), expected, "{status:?} {offered:?}");
        }
    }

    #[test]
    fn only_an_unknown_account_is_made_anew() {
        let error = |word: &str| format!("urn:ietf:params:acme:error:{word}");
        assert!(forgets_the_account(Some(&error("accountDoesNotExist"))));
        for other in ["rateLimited", "unauthorized", "malformed", "badNonce"] {
            assert!(!forgets_the_account(Some(&error(other))), "{other}");
        }
        assert!(!forgets_the_account(None));
    }
}
