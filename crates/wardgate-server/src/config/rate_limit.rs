//! `[rate_limit]`: how much is let through.

use serde::Deserialize;

use super::Mode;
use super::check::Checker;
use super::limit::Limit;

/// Of an account no more than 100 failures in a row may be looked at (S-113), so that no limit above it would be one.
pub(crate) const LIMITS: &[(&str, Limit)] = &[
    ("rate_limit.sign_in_account", Limit::Integer(1, 100)),
    ("rate_limit.sign_in_source", Limit::Integer(1, 1_000_000)),
    ("rate_limit.sign_in_strangers", Limit::Integer(1, 100)),
    ("rate_limit.sign_in_tenant", Limit::Integer(1, 1_000_000)),
    ("rate_limit.register", Limit::Integer(1, 1_000_000)),
    ("rate_limit.refresh", Limit::Integer(1, 1_000_000)),
];

const ENABLED: &str = "rate_limit.enabled";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRateLimit {
    enabled: bool,
    sign_in_account: i64,
    sign_in_source: i64,
    sign_in_strangers: i64,
    sign_in_tenant: i64,
    register: i64,
    refresh: i64,
}

/// The checked section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    pub(crate) enabled: bool,
    pub(crate) sign_in_account: u32,
    pub(crate) sign_in_source: u32,
    pub(crate) sign_in_strangers: u32,
    pub(crate) sign_in_tenant: u32,
    pub(crate) register: u32,
    pub(crate) refresh: u32,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<RateLimit> {
    let raw: RawRateLimit = checker.section("rate_limit");
    if !raw.enabled && checker.mode == Mode::Production {
        let problem = "would let anybody guess passwords as fast as they can, and only --dev takes it";
        checker.fault(
            ENABLED,
            problem,
            "true, with the numbers of this section raised where they are too low",
        );
    }
    let sign_in_account = checker.integer("rate_limit.sign_in_account", raw.sign_in_account);
    let sign_in_source = checker.integer("rate_limit.sign_in_source", raw.sign_in_source);
    let sign_in_strangers = checker.integer("rate_limit.sign_in_strangers", raw.sign_in_strangers);
    let sign_in_tenant = checker.integer("rate_limit.sign_in_tenant", raw.sign_in_tenant);
    let register = checker.integer("rate_limit.register", raw.register);
    let refresh = checker.integer("rate_limit.refresh", raw.refresh);
    Some(RateLimit {
        enabled: raw.enabled,
        sign_in_account: sign_in_account?,
        sign_in_source: sign_in_source?,
        sign_in_strangers: sign_in_strangers?,
        sign_in_tenant: sign_in_tenant?,
        register: register?,
        refresh: refresh?,
    })
}
