//! `[registration]`: who may make an account.

use serde::Deserialize;

use super::check::Checker;
use super::limit::Limit;

pub(crate) const LIMITS: &[(&str, Limit)] =
    &[("registration.mode", Limit::OneOf(&["open", "verified", "invite", "closed"]))];

const MODE: &str = "registration.mode";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistration {
    mode: String,
}

/// The checked section: who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// Anybody, for themselves.
    Open,
    /// Anybody who proves their address.
    Verified,
    /// Whom administrators invite by mail.
    Invite,
    /// Administrators only.
    Closed,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Registration> {
    let raw: RawRegistration = checker.section("registration");
    checker.word(MODE, &raw.mode, |word| match word {
        "open" => Some(Registration::Open),
        "verified" => Some(Registration::Verified),
        "invite" => Some(Registration::Invite),
        "closed" => Some(Registration::Closed),
        _ => None,
    })
}
