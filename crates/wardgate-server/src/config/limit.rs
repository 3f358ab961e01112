//! What a setting's value may be. One table a section, read by the check, the schema and the documentation, so
//! that they cannot disagree.

use std::fmt;
use std::time::Duration;

use super::{database, duration, password, registration, server, telemetry, tokens};

/// The values that a setting may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A duration, both ends included, as people write them.
    Duration(&'static str, &'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// The limit of a setting, by its full name; `None` where the setting has rules of its own.
pub(crate) fn limit(path: &str) -> Option<Limit> {
    let tables = [
        server::LIMITS,
        database::LIMITS,
        tokens::LIMITS,
        password::LIMITS,
        registration::LIMITS,
        telemetry::LIMITS,
    ];
    tables.into_iter().flatten().find(|(name, _)| *name == path).map(|(_, limit)| *limit)
}

/// The ends of a duration's limit.
pub(crate) fn ends(min: &str, max: &str) -> (Duration, Duration) {
    let end = |text| duration::parse(text).expect("the tables hold durations, as a test shows");
    (end(min), end(max))
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Duration(min, max) => write!(f, "a duration from {min} to {max}"),
            Self::OneOf([word]) => write!(f, "\"{word}\""),
            Self::OneOf(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
        }
    }
}
