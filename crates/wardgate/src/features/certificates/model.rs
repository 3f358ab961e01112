//! When a certificate is renewed, and what an authority's answers ask for.

use std::time::Duration;

use instant_acme::{AuthorizationStatus, ChallengeType};

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

/// When the next certificate is asked for: after two thirds of this one's time, so that the last third is left for what
/// may fail.
pub(super) fn renew_at(not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    not_before.plus(not_after.since(not_before) / 3 * 2)
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

/// The names that a certificate lacks of those that were asked for.
pub(super) fn lacking<'a>(asked: &'a [String], given: &[String]) -> Vec<&'a str> {
    asked.iter().filter(|name| !given.contains(name)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_next_is_asked_for_after_two_thirds() {
        let begin = Timestamp::from_millis(1_800_000_000_000);
        for (life, renewed) in [(90 * DAY, 60 * DAY), (6 * DAY, 4 * DAY), (3 * DAY, 2 * DAY)] {
            assert_eq!(renew_at(begin, begin.plus(life)), begin.plus(renewed));
        }
        // One that has ended before it began is renewed at once.
        assert_eq!(renew_at(begin, begin.minus(DAY)), begin);
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

    #[test]
    fn a_certificate_for_fewer_names_is_told() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = names(&["a.example", "b.example"]);
        assert!(lacking(&asked, &names(&["b.example", "a.example", "c.example"])).is_empty());
        assert_eq!(lacking(&asked, &names(&["a.example"])), ["b.example"]);
    }
}
