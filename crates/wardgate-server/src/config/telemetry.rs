//! `[telemetry]`: what the server tells about itself.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::check::Checker;
use super::limit::Limit;

pub(crate) const LIMITS: &[(&str, Limit)] = &[("telemetry.format", Limit::OneOf(&["text", "json"]))];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTelemetry {
    log: String,
    format: String,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    /// A filter that `EnvFilter` accepts.
    pub(crate) log: String,
    pub(crate) format: Format,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Telemetry> {
    let raw: RawTelemetry = checker.section("telemetry");
    if let Err(error) = EnvFilter::try_new(&raw.log) {
        let remedy =
            "a level (error, warn, info, debug, trace), or levels by module as in \"warn,wardgate=debug\"";
        checker.fault("telemetry.log", format!("is no filter: {error}"), remedy);
    }
    let format = checker.word("telemetry.format", &raw.format, |word| match word {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    });
    Some(Telemetry { log: raw.log, format: format? })
}
