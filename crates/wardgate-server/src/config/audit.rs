//! `[audit]`: what is kept of the audit log, and where else its records go.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use wardgate::WebhookKey;
use zeroize::Zeroizing;

use super::Mode;
use super::check::Checker;
use super::limit::Limit;
use super::secret::{self, Secret};
use super::server::Server;

pub(crate) const LIMITS: &[(&str, Limit)] = &[(RETENTION, Limit::Duration("0", "36500d"))];

const RETENTION: &str = "audit.retention";
const FILE: &str = "audit.file";
const URL: &str = "audit.webhook_url";
const SECRET: &str = "audit.webhook_secret";

/// Who writes `90s` for 90 days would lose the log within two minutes.
const SHORTEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    retention: String,
    file: Option<String>,
    webhook_url: Option<String>,
    webhook_secret: Option<Secret<String>>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    /// Zero keeps all.
    pub(crate) retention: Duration,
    /// In a folder that was there when the configuration was checked.
    pub(crate) file: Option<PathBuf>,
    pub(crate) webhook: Option<Webhook>,
}

/// Where records are sent.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) key: WebhookKey,
}

/// `server` says which hosts may be called.
pub(super) fn check(checker: &mut Checker<'_>, server: Option<&Server>) -> Option<Audit> {
    let raw: RawAudit = checker.section("audit");
    let retention = checker.duration(RETENTION, &raw.retention);
    if retention.is_some_and(|kept| !kept.is_zero() && kept < SHORTEST) {
        checker.fault(
            RETENTION,
            "would remove records within the day",
            "\"0\" to keep all, or \"1d\" or more, such as \"365d\"",
        );
    }
    let file = raw.file.as_deref().map(|path| file(checker, path));
    let webhook = webhook(checker, &raw, server);
    Some(Audit { retention: retention?, file, webhook })
}

fn file(checker: &mut Checker<'_>, path: &str) -> PathBuf {
    let file = checker.path(FILE, path);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_empty() || file.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        checker.fault(
            FILE,
            "is no file in a folder that is there",
            "the path of a file, with its folder made",
        );
    }
    file
}

fn webhook(checker: &mut Checker<'_>, raw: &RawAudit, server: Option<&Server>) -> Option<Webhook> {
    let key = raw.webhook_secret.as_ref().and_then(|text| key(checker, text));
    let Some(url) = &raw.webhook_url else {
        if raw.webhook_secret.is_some() {
            checker.missing(URL, "is needed, for there is a webhook_secret and nowhere to send to");
        }
        return None;
    };
    if raw.webhook_secret.is_none() {
        let remedy = "the path of a file with the output of `echo \"whsec_$(openssl rand -base64 32)\"` in \
                      webhook_secret_file in section [audit]";
        checker.fault(SECRET, "is needed: whoever receives webhooks tells by it that they are ours", remedy);
    }
    // Where that list has a fault nobody knows what it allows.
    let allowed = &server?.internal_hosts;
    let sample = "a web address, such as \"https://siem.example.com/wardgate\"";
    if !checker.may_call(URL, url, allowed, sample) {
        return None;
    }
    Some(Webhook { url: url.clone(), key: key? })
}

fn key(checker: &mut Checker<'_>, text: &Secret<String>) -> Option<WebhookKey> {
    let key = WebhookKey::from_text(text.expose());
    let remedy = "the output of `echo \"whsec_$(openssl rand -base64 32)\"`";
    match &key {
        Err(problem) => checker.fault(SECRET, problem.to_string(), remedy),
        Ok(_) if checker.mode == Mode::Production && is_placeholder(text.expose()) => {
            checker.fault(SECRET, "is a placeholder, not random bytes", remedy);
        }
        Ok(_) => {}
    }
    checker.private(SECRET);
    key.ok()
}

/// Whether text, or one block over and over, was encoded where random bytes were asked for. (S-140)
fn is_placeholder(text: &str) -> bool {
    let encoded = text.split_once('_').map_or(text, |(_, encoded)| encoded);
    STANDARD.decode(encoded).map(Zeroizing::new).is_ok_and(|bytes| secret::is_no_random_key(&bytes))
}
