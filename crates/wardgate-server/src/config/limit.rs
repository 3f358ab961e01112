//! What a setting's value may be. One table a section, read by the check, the schema and the documentation, so
//! that they cannot disagree.

use std::fmt;
use std::time::Duration;

use super::shape::common_path;

use super::{
    audit, database, duration, mail, password, providers, rate_limit, registration, server, session,
    telemetry, tokens,
};

/// The values that a setting may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A duration, both ends included, as people write them.
    Duration(&'static str, &'static str),
    /// A part of a whole: a number from 0 to 1.
    Share,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

const TABLES: [&[(&str, Limit)]; 11] = [
    server::LIMITS,
    database::LIMITS,
    tokens::LIMITS,
    session::LIMITS,
    password::LIMITS,
    registration::LIMITS,
    mail::LIMITS,
    rate_limit::LIMITS,
    audit::LIMITS,
    providers::LIMITS,
    telemetry::LIMITS,
];

/// The limit of a setting, by its full name; `None` where the setting has rules of its own.
pub(crate) fn limit(path: &str) -> Option<Limit> {
    let path = common_path(path);
    TABLES.into_iter().flatten().find(|(name, _)| *name == path).map(|(_, limit)| *limit)
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
            Self::Share => write!(f, "a number from 0 to 1"),
            Self::OneOf([word]) => write!(f, "\"{word}\""),
            Self::OneOf(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::shape::shape;
    use super::*;

    #[test]
    fn every_limit_belongs_to_a_setting_whose_sample_keeps_it() {
        let all = shape().settings.iter().chain(&shape().of_each_provider);
        let limited = all.filter(|setting| limit(&setting.path).is_some());
        let mut count = 0;
        for setting in limited {
            count += 1;
            let keeps = match (limit(&setting.path).unwrap(), &setting.sample) {
                (Limit::Integer(min, max), Value::Number(n)) => (min..=max).contains(&n.as_i64().unwrap()),
                (Limit::Share, Value::Number(n)) => (0.0..=1.0).contains(&n.as_f64().unwrap()),
                (Limit::OneOf(words), Value::String(word)) => words.contains(&word.as_str()),
                (Limit::Duration(min, max), Value::String(text)) => {
                    let (min, max) = ends(min, max);
                    (min..=max).contains(&duration::parse(text).unwrap())
                }
                _ => false,
            };
            assert!(keeps, "{}", setting.path);
        }
        assert_eq!(TABLES.concat().len(), count);
    }
}
