//! `[registration]`: who may make an account.

use serde::Deserialize;

use super::check::Checker;
use super::limit::Limit;

pub(crate) const LIMITS: &[(&str, Limit)] = &[("registration.mode", Limit::OneOf(&["open", "closed"]))];

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
    /// Administrators only.
    Closed,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Registration> {
    let raw: RawRegistration = checker.section("registration");
    if matches!(raw.mode.as_str(), "verified" | "invite") {
        let problem = "needs mail, which this version does not send yet";
        checker.fault(MODE, problem, "\"open\", or \"closed\" with accounts made by an administrator");
        return None;
    }
    checker.word(MODE, &raw.mode, |word| match word {
        "open" => Some(Registration::Open),
        "closed" => Some(Registration::Closed),
        _ => None,
    })
}
