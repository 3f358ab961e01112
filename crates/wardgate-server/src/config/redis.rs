//! `[redis]`: where several servers count together.

use serde::Deserialize;

use super::Mode;
use super::check::Checker;
use super::database;
use super::secret::{self, MASK, Secret};

/// Shown with its password masked.
pub(crate) const URL: &str = "redis.url";

const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRedis {
    url: Option<Secret<String>>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    /// The whole URL, with the password that may be in it.
    pub(crate) url: Option<Secret<String>>,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Redis {
    let raw: RawRedis = checker.section("redis");
    if let Some(url) = &raw.url {
        match parse(url.expose()) {
            Ok(password) => check_password(checker, password),
            Err(problem) => {
                checker.fault(
                    URL,
                    problem,
                    "\"redis://127.0.0.1:6379\", or \"rediss://user:password@host:6379\"",
                );
            }
        }
    }
    Redis { url: raw.url }
}

/// As for the database: a password in the URL is a secret like any other. (S-140)
fn check_password(checker: &mut Checker<'_>, password: Option<&str>) {
    let Some(password) = password else { return };
    if checker.mode == Mode::Production && secret::is_example(password.as_bytes()) {
        checker.fault(URL, "has a password from an example", "the password of a Redis user of its own");
    }
    checker.private(URL);
}

/// The password of an address of a Redis, if it has one.
fn parse(url: &str) -> Result<Option<&str>, &'static str> {
    let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or("begins with neither redis:// nor rediss://")?;
    // `#insecure` is what clients write to take any certificate.
    if rest.contains(['#', '?']) {
        return Err("has something behind the address");
    }
    let (user, address) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (host, number) = address.split_once('/').unwrap_or((address, ""));
    let port = host.rsplit_once(']').map_or(host, |(_, port)| port).split_once(':').map(|(_, port)| port);
    if host.is_empty() || host.starts_with(':') {
        return Err("names no host");
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err("has no port from 1 to 65535 behind the host");
    }
    if !number.is_empty() && number.parse::<u32>().is_err() {
        return Err("has something else than a database's number behind the host");
    }
    Ok(database::password_of(user))
}

/// The URL with its password masked; all of it where it is not clear what is the password.
pub(crate) fn masked(url: &str) -> String {
    match (parse(url), url.rsplit_once('@'), url.split_once("://")) {
        (Ok(None), _, _) => url.to_owned(),
        (Ok(Some(_)), Some((_, address)), Some((scheme, rest))) => {
            let user = rest.split_once(':').map_or("", |(user, _)| user);
            format!("{scheme}://{user}:{MASK}@{address}")
        }
        _ => MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_nothing_more() {
        for url in
            ["redis://h", "redis://h:6379", "rediss://u:p@h:6379/2", "redis://[::1]:6379/", "redis://[::1]"]
        {
            assert!(parse(url).is_ok(), "{url}");
        }
        let wrong = [
            "h:6379",
            "http://h",
            "redis://",
            "redis://:6379",
            "redis://h:",
            "redis://h:0",
            "redis://h:x",
            "redis://[::1]:70000",
            "redis://h/cache",
            "redis://h?protocol=resp3",
            "rediss://h#insecure",
        ];
        for url in wrong {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let cases = [
            ("redis://h:6379/1", "redis://h:6379/1"),
            ("redis://u@h", "redis://u@h"),
            ("redis://u:s3cret@h", "redis://u:********@h"),
            ("rediss://:s3@cret@h:1/2", "rediss://:********@h:1/2"),
            ("redis:/u:s3cret@h", "********"),
            ("redis://u:s3cret@h?x", "********"),
        ];
        for (url, shown) in cases {
            assert_eq!(masked(url), shown, "{url}");
        }
    }
}
