//! What a refresh token means when it is presented: one pure decision.

use std::time::Duration;

use serde::Serialize;

use crate::features::roles::Roles;
use crate::features::sessions::Session;
use crate::kernel::ids::{OrgId, RefreshTokenId, SessionId};
use crate::kernel::time::Timestamp;

/// The client of tokens that no registered client asked for.
pub(crate) const FIRST_PARTY: &str = "first-party";

/// A refresh token as it lies in the table.
#[derive(Debug)]
pub(super) struct RefreshToken {
    pub(super) id: RefreshTokenId,
    pub(super) session: SessionId,
    pub(super) consumed: Option<Consumed>,
}

/// What is kept of a consumed token.
#[derive(Debug, Clone)]
pub(super) struct Consumed {
    pub(super) at: Timestamp,
    pub(super) successor: RefreshTokenId,
    /// With the presented secret and our key it gives the successor's secret again.
    pub(super) nonce: [u8; 32],
}

/// Where a presented token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its session ended or expired, its user is gone or disabled.
    FamilyEnded,
    /// Never used.
    Live,
    /// Used before.
    Consumed {
        /// When.
        at: Timestamp,
        /// Whether the token it was exchanged for is still unused.
        successor_live: bool,
    },
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Answer 401 and change nothing.
    Refused,
    /// Consume it and issue a successor.
    Rotate,
    /// The first answer was lost, or two tabs asked at once: the same successor again.
    Retry,
    /// Somebody else has it too: end the family (RFC 9700 §4.14.2).
    Replay,
}

/// Decides what a presented refresh token means.
///
/// A family that has ended stays `Refused`: a dead token is no tap for further replay records. Another
/// client's token is refused without harm to its owner's family (RFC 6749 §10.4).
pub(super) fn decide(state: State, client_matches: bool, now: Timestamp, grace: Duration) -> Decision {
    match state {
        State::FamilyEnded => Decision::Refused,
        _ if !client_matches => Decision::Refused,
        State::Live => Decision::Rotate,
        State::Consumed { at, successor_live: true } if now.since(at) < grace => Decision::Retry,
        State::Consumed { .. } => Decision::Replay,
    }
}

/// When a session refreshed at `now` ends: after the idle limit, never past the absolute one.
pub(super) fn session_end(
    created_at: Timestamp,
    now: Timestamp,
    idle: Duration,
    absolute: Duration,
) -> Timestamp {
    now.plus(idle).min(created_at.plus(absolute))
}

/// What the issuing transaction found out: everything a token pair is made from.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) session: Session,
    pub(crate) roles: Roles,
    /// The organization that the session acts in, if its user still belongs there.
    pub(crate) org: Option<OrgId>,
    /// The key that signs; chosen in the transaction.
    pub(crate) kid: String,
}

/// The answer of sign-in and refresh (RFC 6749 §5.1).
#[derive(Serialize)]
pub struct TokenPair {
    /// A JWT, `typ: at+jwt` (RFC 9068).
    pub access_token: String,
    /// Opaque, single use.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token ends.
    pub expires_in: i64,
    /// The scope granted, only when one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// The answer of an exchange of an API key.
#[derive(Serialize)]
pub struct ExchangedToken {
    /// A JWT, `typ: at+jwt` (RFC 9068).
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token ends.
    pub expires_in: i64,
    /// What the key leaves of its owner's rights now; empty if nothing.
    pub scope: String,
}

impl std::fmt::Debug for ExchangedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExchangedToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenPair").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Refused, Replay, Retry, Rotate};

    const GRACE: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_decision_table() {
        // S-039, S-042, S-043, S-044
        let used = |successor_live| State::Consumed { at: at(100), successor_live };
        let table = [
            (State::Live, true, 100, GRACE, Rotate),
            (State::Live, false, 100, GRACE, Refused),
            (State::FamilyEnded, true, 100, GRACE, Refused),
            (used(true), true, 100, GRACE, Retry),
            (used(true), true, 109, GRACE, Retry),
            (used(true), true, 110, GRACE, Replay),
            (used(false), true, 101, GRACE, Replay),
            (used(true), false, 101, GRACE, Refused),
            // Zero switches the grace off, even within one millisecond.
            (used(true), true, 100, Duration::ZERO, Replay),
        ];
        for (state, client_matches, now, grace, expected) in table {
            assert_eq!(decide(state, client_matches, at(now), grace), expected, "{state:?} at {now}");
        }
    }

    #[test]
    fn sliding_never_passes_the_absolute_end() {
        // S-045
        let (idle, absolute) = (Duration::from_secs(7), Duration::from_secs(30));
        assert_eq!(session_end(at(0), at(0), idle, absolute), at(7));
        assert_eq!(session_end(at(0), at(20), idle, absolute), at(27));
        assert_eq!(session_end(at(0), at(29), idle, absolute), at(30));
    }
}
