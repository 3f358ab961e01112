//! `[audit]`: what is kept of the audit log.

use std::time::Duration;

use serde::Deserialize;

use super::check::Checker;
use super::limit::Limit;

pub(crate) const LIMITS: &[(&str, Limit)] = &[(RETENTION, Limit::Duration("0", "36500d"))];

const RETENTION: &str = "audit.retention";

/// Who writes `90s` for 90 days would lose the log within two minutes.
const SHORTEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    retention: String,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    /// Zero keeps all.
    pub(crate) retention: Duration,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Audit> {
    let raw: RawAudit = checker.section("audit");
    let retention = checker.duration(RETENTION, &raw.retention);
    if retention.is_some_and(|kept| !kept.is_zero() && kept < SHORTEST) {
        checker.fault(
            RETENTION,
            "would remove records within the day",
            "\"0\" to keep all, or \"1d\" or more, such as \"365d\"",
        );
    }
    Some(Audit { retention: retention? })
}
