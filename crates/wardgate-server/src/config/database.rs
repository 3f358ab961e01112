//! `[database]`: where everything is stored.

use std::path::PathBuf;

use serde::Deserialize;

use super::Mode;
use super::check::Checker;
use super::limit::Limit;
use super::secret::{self, MASK, Secret};

pub(crate) const LIMITS: &[(&str, Limit)] =
    &[("database.commit_batch", Limit::Integer(1, 4096)), ("database.pool_size", Limit::Integer(1, 500))];

/// The one setting whose text is shown with only a part masked.
pub(crate) const URL: &str = "database.url";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    url: Secret<String>,
    commit_batch: i64,
    pool_size: i64,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    /// Transactions that share a commit, on SQLite.
    pub(crate) commit_batch: usize,
    /// Connections of a node, on PostgreSQL.
    pub(crate) pool_size: usize,
}

/// Which engine, and where.
#[derive(Clone, Debug)]
pub(crate) enum DatabaseUrl {
    /// A file; a relative path begins in the data folder.
    Sqlite(PathBuf),
    /// The whole URL, with the password that may be in it.
    Postgres(Secret<String>),
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Database> {
    let raw: RawDatabase = checker.section("database");
    let url = url(checker, &raw.url);
    let commit_batch = checker.integer("database.commit_batch", raw.commit_batch);
    let pool_size = checker.integer("database.pool_size", raw.pool_size);
    Some(Database { url: url?, commit_batch: commit_batch?, pool_size: pool_size? })
}

fn url(checker: &mut Checker<'_>, url: &Secret<String>) -> Option<DatabaseUrl> {
    let parsed = parse(url.expose());
    match &parsed {
        Err(problem) => checker.fault(
            URL,
            *problem,
            "\"sqlite://wardgate.db\", or \"postgres://user:password@host/name\"",
        ),
        Ok(_) => check_password(checker, url.expose()),
    }
    parsed.ok()
}

/// A password in the URL is a secret like any other. (S-140)
fn check_password(checker: &mut Checker<'_>, url: &str) {
    let Some(password) = password(url) else { return };
    if checker.mode == Mode::Production && secret::is_example(password.as_bytes()) {
        checker.fault(URL, "has a password from an example", "the password of a database user of its own");
    }
    checker.private(URL);
}

fn parse(url: &str) -> Result<DatabaseUrl, &'static str> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return match path {
            "" => Err("names no file behind sqlite://"),
            _ if path.contains(['?', '#']) || path.starts_with(':') => {
                Err("names no plain file behind sqlite://")
            }
            _ => Ok(DatabaseUrl::Sqlite(path.into())),
        };
    }
    let rest = after_postgres(url).ok_or("begins with neither sqlite:// nor postgres://")?;
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    match (host, name.split('?').next()) {
        ("", _) => Err("names no host behind postgres://"),
        (_, None | Some("")) => Err("names no database behind the host"),
        _ => Ok(DatabaseUrl::Postgres(Secret::new(url.to_owned()))),
    }
}

fn after_postgres(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))
}

/// The password of a PostgreSQL URL, before the last `@`: an unescaped one in the password must not be taken for
/// the end, or the rest would be shown.
fn password(url: &str) -> Option<&str> {
    let (user, _) = after_postgres(url)?.rsplit_once('@')?;
    password_of(user)
}

/// Whether a URL has a password in it.
pub(crate) fn has_password(url: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    password(url).is_some() || parameters.split('&').any(|parameter| parameter.starts_with("password="))
}

/// The password in `user:password`.
pub(super) fn password_of(user: &str) -> Option<&str> {
    user.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

/// The URL with its password masked; all of it where it is not clear what is the password.
pub(crate) fn masked(url: &str) -> String {
    if url.starts_with("sqlite://") {
        return url.to_owned();
    }
    // libpq also takes the password behind the question mark.
    let address = url.split('?').next().unwrap_or(url);
    match (after_postgres(url), password(url)) {
        (None, _) => MASK.into(),
        (Some(_), None) if address.len() < url.len() => format!("{address}?{MASK}"),
        (Some(_), None) => url.to_owned(),
        (Some(rest), Some(_)) => mask_user(rest),
    }
}

fn mask_user(rest: &str) -> String {
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (name, _) = user.split_once(':').unwrap_or((user, ""));
    let host = match host.split_once('?') {
        Some((address, _)) => format!("{address}?{MASK}"),
        None => host.to_owned(),
    };
    format!("postgres://{name}:{MASK}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_a_server() {
        let file = |url| match parse(url) {
            Ok(DatabaseUrl::Sqlite(path)) => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(file("sqlite://wardgate.db"), PathBuf::from("wardgate.db"));
        assert_eq!(file("sqlite:///var/lib/wardgate.db"), PathBuf::from("/var/lib/wardgate.db"));
        for url in ["postgres://u:p@h/d", "postgresql://h:5433/d?sslmode=disable"] {
            assert!(matches!(parse(url), Ok(DatabaseUrl::Postgres(whole)) if whole.expose() == url), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_seen() {
        for url in ["postgres://u:s3cret@h/d", "postgres://h/d?sslmode=require&password=s3cret"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["postgres://h/d", "postgres://u@h/d?sslmode=require", "sqlite://a.db"] {
            assert!(!has_password(url), "{url}");
        }
    }

    #[test]
    fn a_url_without_a_place_is_refused() {
        let wrong = [
            "wardgate.db",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://a?mode=ro",
            "mysql://h/d",
            "postgres:///d",
            "postgres://h",
            "postgres://h/",
            "postgres://u:p@/d",
            "postgres://h/?x",
        ];
        for url in wrong {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let cases = [
            ("sqlite://wardgate.db", "sqlite://wardgate.db"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres://u:s3cret@h/d", "postgres://u:********@h/d"),
            ("postgresql://u:s3@cret@h/d", "postgres://u:********@h/d"),
            ("postgres://u:s3/cret@h/d", "postgres://u:********@h/d"),
            ("postgres://u:s3?cret@h/d", "postgres://u:********@h/d"),
            ("postgres://h/d?password=s3cret", "postgres://h/d?********"),
            ("postgres://u:s3cret@h/d?password=s3cret", "postgres://u:********@h/d?********"),
            ("postgres//u:s3cret@h/d", "********"),
        ];
        for (url, shown) in cases {
            assert_eq!(masked(url), shown, "{url}");
        }
    }
}
