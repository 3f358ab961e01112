//! `[tokens]`: what is signed with which algorithm, and how long it lives.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Mode;
use super::check::Checker;
use super::limit::Limit;
use super::secret::{self, Secret};

pub(crate) const LIMITS: &[(&str, Limit)] = &[
    ("tokens.algorithm", Limit::OneOf(&["EdDSA", "ES256", "RS256", "HS256"])),
    ("tokens.access_ttl", Limit::Duration("30s", "60m")),
    ("tokens.refresh_idle_ttl", Limit::Duration("1m", "365d")),
    ("tokens.refresh_max_ttl", Limit::Duration("1m", "365d")),
    ("tokens.refresh_grace", Limit::Duration("0s", "60s")),
    ("tokens.key_rotation", Limit::Duration("1d", "3650d")),
];

const HS256_SECRET: &str = "tokens.hs256_secret_file";

/// RFC 7518 section 3.2: a key of the hash's size or more.
const MIN_SECRET: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokens {
    algorithm: String,
    audience: Option<String>,
    access_ttl: String,
    refresh_idle_ttl: String,
    refresh_max_ttl: String,
    refresh_grace: String,
    key_rotation: String,
    hs256_secret_file: Option<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) signing: Signing,
    /// `None`: the issuer.
    pub(crate) audience: Option<String>,
    pub(crate) access_ttl: Duration,
    pub(crate) refresh_idle_ttl: Duration,
    /// Never under `refresh_idle_ttl`.
    pub(crate) refresh_max_ttl: Duration,
    /// Zero: every second use is a replay.
    pub(crate) refresh_grace: Duration,
    pub(crate) key_rotation: Duration,
}

/// How access tokens are signed.
#[derive(Clone, Debug)]
pub(crate) enum Signing {
    EdDsa,
    Es256,
    Rs256,
    /// With the secret shared with the API: 32 bytes or more, as they stand in the file without the newline at
    /// its end.
    Hs256(Secret<Vec<u8>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    EdDsa,
    Es256,
    Rs256,
    Hs256,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Tokens> {
    let raw: RawTokens = checker.section("tokens");
    let algorithm = checker.word("tokens.algorithm", &raw.algorithm, algorithm);
    let signing =
        algorithm.and_then(|algorithm| signing(checker, algorithm, raw.hs256_secret_file.as_deref()));
    if raw.audience.as_deref().is_some_and(|audience| audience.trim().is_empty()) {
        checker.fault("tokens.audience", "is empty", "what your APIs are called, or nothing for the issuer");
    }
    let access_ttl = checker.duration("tokens.access_ttl", &raw.access_ttl);
    let idle = checker.duration("tokens.refresh_idle_ttl", &raw.refresh_idle_ttl);
    let max = checker.duration("tokens.refresh_max_ttl", &raw.refresh_max_ttl);
    check_order(checker, idle, max, &raw);
    let refresh_grace = checker.duration("tokens.refresh_grace", &raw.refresh_grace);
    let key_rotation = checker.duration("tokens.key_rotation", &raw.key_rotation);
    Some(Tokens {
        signing: signing?,
        audience: raw.audience,
        access_ttl: access_ttl?,
        refresh_idle_ttl: idle?,
        refresh_max_ttl: max?,
        refresh_grace: refresh_grace?,
        key_rotation: key_rotation?,
    })
}

fn algorithm(word: &str) -> Option<Algorithm> {
    Some(match word {
        "EdDSA" => Algorithm::EdDsa,
        "ES256" => Algorithm::Es256,
        "RS256" => Algorithm::Rs256,
        "HS256" => Algorithm::Hs256,
        _ => return None,
    })
}

fn check_order(checker: &mut Checker<'_>, idle: Option<Duration>, max: Option<Duration>, raw: &RawTokens) {
    if idle.zip(max).is_some_and(|(idle, max)| max < idle) {
        let idle = &raw.refresh_idle_ttl;
        let problem = format!("is under refresh_idle_ttl, which is {idle}");
        checker.fault(
            "tokens.refresh_max_ttl",
            problem,
            format!("{idle} or more, or a shorter refresh_idle_ttl"),
        );
    }
}

fn signing(checker: &mut Checker<'_>, algorithm: Algorithm, secret: Option<&str>) -> Option<Signing> {
    match (algorithm, secret) {
        (Algorithm::Hs256, Some(path)) => hs256(checker, path),
        (Algorithm::Hs256, None) => {
            checker.missing(HS256_SECRET, "is needed for HS256");
            None
        }
        (_, Some(_)) => {
            let remedy = "nothing, or algorithm = \"HS256\"";
            checker.fault(HS256_SECRET, "is given, but the algorithm is not HS256", remedy);
            None
        }
        (Algorithm::EdDsa, None) => Some(Signing::EdDsa),
        (Algorithm::Es256, None) => Some(Signing::Es256),
        (Algorithm::Rs256, None) => Some(Signing::Rs256),
    }
}

fn hs256(checker: &mut Checker<'_>, path: &str) -> Option<Signing> {
    const REMEDY: &str = "the path of a file with the output of `openssl rand -hex 32`";
    let file = checker.path(HS256_SECRET, path);
    let text = match secret::read_file(&file) {
        Ok(text) => text,
        Err(error) => {
            checker.fault(HS256_SECRET, format!("the file cannot be read: {error}"), REMEDY);
            return None;
        }
    };
    check_secret(checker, text.as_bytes(), &file);
    Some(Signing::Hs256(Secret::new(text.as_bytes().to_vec())))
}

fn check_secret(checker: &mut Checker<'_>, secret: &[u8], file: &Path) {
    const REMEDY: &str = "a file with the output of `openssl rand -hex 32`";
    if secret.len() < MIN_SECRET {
        let problem = format!("the file holds {} bytes, and HS256 needs 32 or more", secret.len());
        checker.fault(HS256_SECRET, problem, REMEDY);
    } else if checker.mode == Mode::Production && secret::is_placeholder(secret) {
        checker.fault(HS256_SECRET, "the file holds a placeholder, not a random secret", REMEDY);
    }
    checker.private_file(HS256_SECRET, file);
}
