//! `[password]`: how passwords are hashed, which are accepted, and how much hashing goes on at once.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::check::Checker;
use super::limit::Limit;

/// The lower ends are OWASP's minimum (S-001); the upper ones keep one hash from taking the machine.
pub(crate) const LIMITS: &[(&str, Limit)] = &[
    ("password.scheme", Limit::OneOf(&["argon2id", "bcrypt"])),
    ("password.argon2_memory_kib", Limit::Integer(19_456, 1_048_576)),
    ("password.argon2_iterations", Limit::Integer(2, 64)),
    ("password.argon2_parallelism", Limit::Integer(1, 16)),
    ("password.bcrypt_cost", Limit::Integer(12, 17)),
    ("password.preset", Limit::OneOf(&["nist"])),
    ("password.min_length", Limit::Integer(8, 64)),
    ("password.hash_threads", Limit::Integer(0, 256)),
    ("password.hash_queue", Limit::Integer(1, 10_000)),
    ("password.hash_deadline", Limit::Duration("100ms", "60s")),
];

/// NIST SP 800-63B-4 section 3.1.1.2, where the password is the only factor.
const NIST_LENGTH: usize = 15;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPassword {
    scheme: String,
    argon2_memory_kib: i64,
    argon2_iterations: i64,
    argon2_parallelism: i64,
    bcrypt_cost: i64,
    preset: Option<String>,
    min_length: i64,
    breach_list: Option<String>,
    hash_threads: i64,
    hash_queue: i64,
    hash_deadline: String,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    pub(crate) scheme: Scheme,
    /// Characters, not bytes.
    pub(crate) min_length: usize,
    /// A file that was there when the configuration was checked.
    pub(crate) breach_list: Option<PathBuf>,
    /// `None`: one for each core.
    pub(crate) hash_threads: Option<usize>,
    pub(crate) hash_queue: usize,
    pub(crate) hash_deadline: Duration,
}

/// How new hashes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Argon2id { memory_kib: u32, iterations: u32, parallelism: u32 },
    Bcrypt { cost: u32 },
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Password> {
    let raw: RawPassword = checker.section("password");
    let scheme = scheme(checker, &raw);
    let min_length = min_length(checker, &raw);
    let breach_list = raw.breach_list.as_deref().map(|path| breach_list(checker, path));
    let hash_threads = checker.integer("password.hash_threads", raw.hash_threads);
    let hash_queue = checker.integer("password.hash_queue", raw.hash_queue);
    let hash_deadline = checker.duration("password.hash_deadline", &raw.hash_deadline);
    Some(Password {
        scheme: scheme?,
        min_length: min_length?,
        breach_list,
        hash_threads: hash_threads.map(|threads: usize| (threads > 0).then_some(threads))?,
        hash_queue: hash_queue?,
        hash_deadline: hash_deadline?,
    })
}

/// Checks the costs of both schemes, also of the one not chosen: switching must not bring up an old mistake.
fn scheme(checker: &mut Checker<'_>, raw: &RawPassword) -> Option<Scheme> {
    let memory_kib = checker.integer("password.argon2_memory_kib", raw.argon2_memory_kib);
    let iterations = checker.integer("password.argon2_iterations", raw.argon2_iterations);
    let parallelism = checker.integer("password.argon2_parallelism", raw.argon2_parallelism);
    let cost = checker.integer("password.bcrypt_cost", raw.bcrypt_cost);
    let bcrypt = checker.word("password.scheme", &raw.scheme, |word| match word {
        "argon2id" => Some(false),
        "bcrypt" => Some(true),
        _ => None,
    })?;
    let (memory_kib, iterations, parallelism, cost) = (memory_kib?, iterations?, parallelism?, cost?);
    Some(if bcrypt {
        Scheme::Bcrypt { cost }
    } else {
        Scheme::Argon2id { memory_kib, iterations, parallelism }
    })
}

fn min_length(checker: &mut Checker<'_>, raw: &RawPassword) -> Option<usize> {
    let length: Option<usize> = checker.integer("password.min_length", raw.min_length);
    let Some(preset) = raw.preset.as_deref() else { return length };
    checker.word("password.preset", preset, |word| (word == "nist").then_some(()))?;
    if !checker.is_given("password.min_length") {
        return Some(NIST_LENGTH);
    }
    if length.is_some_and(|length| length < NIST_LENGTH) {
        let problem = "is under the 15 characters that preset = \"nist\" asks for";
        checker.fault("password.min_length", problem, "15 or more, or nothing");
    }
    length
}

fn breach_list(checker: &mut Checker<'_>, path: &str) -> PathBuf {
    let file = checker.path("password.breach_list", path);
    if !file.is_file() {
        checker.fault(
            "password.breach_list",
            "there is no such file",
            "the path of a file with a password a line",
        );
    }
    file
}
