//! `[session]`: how long browsers stay signed in, and whose pages may write.

use std::time::Duration;

use serde::Deserialize;

use super::check::Checker;
use super::limit::Limit;
use super::server;

pub(crate) const LIMITS: &[(&str, Limit)] = &[
    ("session.idle_ttl", Limit::Duration("1m", "365d")),
    ("session.max_ttl", Limit::Duration("1m", "365d")),
    ("session.max_per_user", Limit::Integer(1, 10_000)),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    idle_ttl: String,
    max_ttl: String,
    max_per_user: i64,
    allowed_origins: Vec<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) idle_ttl: Duration,
    /// Never under `idle_ttl`.
    pub(crate) max_ttl: Duration,
    pub(crate) max_per_user: u32,
    /// Exactly these, letter by letter.
    pub(crate) allowed_origins: Vec<String>,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Session> {
    let raw: RawSession = checker.section("session");
    let idle = checker.duration("session.idle_ttl", &raw.idle_ttl);
    let max = checker.duration("session.max_ttl", &raw.max_ttl);
    if idle.zip(max).is_some_and(|(idle, max)| max < idle) {
        let idle = &raw.idle_ttl;
        let problem = format!("is under idle_ttl, which is {idle}");
        checker.fault("session.max_ttl", problem, format!("{idle} or more, or a shorter idle_ttl"));
    }
    let max_per_user = checker.integer("session.max_per_user", raw.max_per_user);
    let example = "an origin as browsers send it, such as \"https://app.example.com\"";
    let allowed_origins =
        checker.items("session.allowed_origins", &raw.allowed_origins, example, server::origin);
    Some(Session {
        idle_ttl: idle?,
        max_ttl: max?,
        max_per_user: max_per_user?,
        allowed_origins: allowed_origins?,
    })
}
