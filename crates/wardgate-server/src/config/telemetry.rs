//! `[telemetry]`: what the server tells about itself.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use super::address;
use super::check::Checker;
use super::limit::Limit;
use super::secret::Secret;
use super::server::Server;

pub(crate) const LIMITS: &[(&str, Limit)] =
    &[("telemetry.format", Limit::OneOf(&["text", "json"])), (RATIO, Limit::Share)];

pub(super) const ENDPOINT: &str = "telemetry.otlp_endpoint";
const HEADERS: &str = "telemetry.otlp_headers";
const RATIO: &str = "telemetry.sample_ratio";
const TRACEPARENT: &str = "telemetry.trust_traceparent";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTelemetry {
    log: String,
    format: String,
    otlp_endpoint: Option<String>,
    otlp_headers: Option<Secret<String>>,
    otlp_logs: bool,
    sample_ratio: f64,
    trust_traceparent: bool,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    /// A filter that `EnvFilter` accepts.
    pub(crate) log: String,
    pub(crate) format: Format,
    /// `None`: nowhere.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "checked in any case, and then refused"))]
    pub(crate) otlp: Option<Otlp>,
}

/// Where traces go, and which.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "checked in any case, and then refused"))]
pub(crate) struct Otlp {
    /// Without what OTLP puts behind it, and without a slash at its end.
    pub(crate) endpoint: String,
    /// Its host, as a URL has it.
    pub(crate) host: String,
    pub(crate) headers: Arc<[Header]>,
    /// Whether log lines go there too.
    pub(crate) logs: bool,
    /// The part of the traces that begin here.
    pub(crate) sample_ratio: f64,
    /// Whether a trusted proxy may say which trace a request belongs to.
    pub(crate) trust_traceparent: bool,
}

/// A header that goes along: in lower case, and what nobody is to know.
pub(crate) type Header = (String, Secret<String>);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// `server` says which proxies are trusted.
pub(super) fn check(checker: &mut Checker<'_>, server: Option<&Server>) -> Option<Telemetry> {
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
    let sample_ratio = checker.share(RATIO, raw.sample_ratio);
    if raw.trust_traceparent && server.is_some_and(|server| server.trusted_proxies.is_empty()) {
        checker.fault(
            TRACEPARENT,
            "is believed from nobody, since server.trusted_proxies is empty",
            "the addresses of your proxies in trusted_proxies, or false",
        );
    }
    let headers = raw.otlp_headers.as_ref().map(|text| headers(checker, text));
    let Some(endpoint) = raw.otlp_endpoint else {
        let why = "is needed, for there is nowhere to send to";
        if raw.otlp_headers.is_some() || raw.otlp_logs || raw.trust_traceparent {
            checker.missing(ENDPOINT, why);
        }
        return Some(Telemetry { log: raw.log, format: format?, otlp: None });
    };
    let host = endpoint_host(checker, &endpoint, raw.otlp_headers.is_some());
    let otlp = Otlp {
        host: host?,
        endpoint,
        headers: headers.unwrap_or_default().into(),
        logs: raw.otlp_logs,
        sample_ratio: sample_ratio?,
        trust_traceparent: raw.trust_traceparent,
    };
    Some(Telemetry { log: raw.log, format: format?, otlp: Some(otlp) })
}

fn endpoint_host(checker: &mut Checker<'_>, endpoint: &str, has_secret: bool) -> Option<String> {
    let remedy = "the address of a collector that takes OTLP over HTTP, such as \"http://127.0.0.1:4318\"";
    if cfg!(not(feature = "otlp")) {
        checker.fault(ENDPOINT, "is what this program was built without (feature otlp)", "nothing");
    }
    let parsed = address::parse(endpoint).and_then(|(origin, path)| {
        address::check_issuer_path(path)?;
        Ok(origin)
    });
    match parsed {
        Err(problem) => {
            checker.fault(ENDPOINT, problem, remedy);
            None
        }
        // Whoever is on the way would read it.
        Ok(origin) if has_secret && !origin.https && !origin.is_loopback() => {
            checker.fault(
                ENDPOINT,
                "would send otlp_headers over plain http",
                "an address with https, or a collector on this machine",
            );
            None
        }
        Ok(origin) => Some(origin.host.to_owned()),
    }
}

/// One a line. No fault shows any of it.
fn headers(checker: &mut Checker<'_>, text: &Secret<String>) -> Vec<Header> {
    let lines = text.expose().lines().filter(|line| !line.trim().is_empty());
    let headers: Option<Vec<_>> = lines.map(header).collect();
    if headers.is_none() {
        checker.fault(HEADERS, "has a line that is no header", "lines such as `authorization: Bearer …`");
    }
    checker.private(HEADERS);
    headers.unwrap_or_default()
}

fn header(line: &str) -> Option<Header> {
    let (name, value) = line.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let value = Zeroizing::new(value.trim().to_owned());
    HeaderValue::from_str(&value).ok()?;
    Some((name.as_str().to_owned(), Secret::new(value.to_string())))
}
