//! Where the database is: `sqlite://…` or `postgres://…`.

use std::{fmt, path::PathBuf, str::FromStr};

use tokio_postgres::config::{Host, SslMode};

/// The address of a database. `Debug` and `Display` mask the password.
///
/// * `sqlite://data/app.db` is relative to the working directory, `sqlite:///var/lib/app.db` absolute;
/// * `postgres://user:password@host:5432/name` (also `postgresql://`), with libpq's parameters.
///
/// ```
/// use wardgate_store::DatabaseUrl;
///
/// let url: DatabaseUrl = "postgres://gate:secret@db.example.com/auth".parse().unwrap();
/// assert_eq!(url.to_string(), "postgres://gate:***@db.example.com:5432/auth");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file, made if it is absent.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresUrl),
}

/// The parsed address of a PostgreSQL server.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(pub(crate) Box<tokio_postgres::Config>);

/// Why a text is no database address. Never repeats the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// Neither `sqlite://` nor `postgres://`.
    #[error("a database URL begins with sqlite:// or postgres://")]
    Scheme,
    /// `sqlite://` without a path.
    #[error("sqlite:// must be followed by the path of a file, as in sqlite://wardgate.db")]
    NoPath,
    /// `sqlite://:memory:` has neither a log nor a second connection.
    #[error("an in-memory SQLite database is not supported: name a file")]
    Memory,
    /// `sqlite://app.db?mode=ro` and the like.
    #[error("sqlite:// takes no parameters after a question mark")]
    Parameters,
    /// The driver could not read the address.
    #[error("not a valid PostgreSQL URL: {0}")]
    Postgres(String),
    /// No host, or no user.
    #[error("a PostgreSQL URL names a host and a user, as in postgres://user:password@host/database")]
    Incomplete,
    /// TLS was demanded, and going on without it would send the password in clear.
    #[error(
        "sslmode=require is refused: TLS to PostgreSQL is not supported yet; use a Unix socket, a trusted \
         network or a tunnel, with sslmode=disable"
    )]
    Tls,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return sqlite_path(path).map(Self::Sqlite);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres_config(text).map(|config| Self::Postgres(PostgresUrl(Box::new(config))));
        }
        Err(DatabaseUrlError::Scheme)
    }
}

fn sqlite_path(path: &str) -> Result<PathBuf, DatabaseUrlError> {
    match path {
        "" | "/" => Err(DatabaseUrlError::NoPath),
        _ if path.contains(":memory:") => Err(DatabaseUrlError::Memory),
        _ if path.contains('?') => Err(DatabaseUrlError::Parameters),
        _ => Ok(PathBuf::from(path)),
    }
}

fn postgres_config(text: &str) -> Result<tokio_postgres::Config, DatabaseUrlError> {
    let config = tokio_postgres::Config::from_str(text).map_err(|error| {
        DatabaseUrlError::Postgres(
            std::error::Error::source(&error).map_or_else(String::new, ToString::to_string),
        )
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(DatabaseUrlError::Tls);
    }
    if config.get_user().is_none() || (config.get_hosts().is_empty() && config.get_hostaddrs().is_empty()) {
        return Err(DatabaseUrlError::Incomplete);
    }
    Ok(config)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.0.get_password().map_or("", |_| ":***");
        let user = self.0.get_user().unwrap_or_default();
        write!(f, "postgres://{user}{password}@")?;
        for (index, host) in hosts(&self.0).iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let port = self.0.get_ports().get(index).or(self.0.get_ports().first()).unwrap_or(&5432);
            write!(f, "{comma}{host}:{port}")?;
        }
        write!(f, "/{}", self.0.get_dbname().unwrap_or(user))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hosts(config: &tokio_postgres::Config) -> Vec<String> {
    if config.get_hosts().is_empty() {
        return config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let name = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    };
    config.get_hosts().iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> DatabaseUrlError {
        text.parse::<DatabaseUrl>().unwrap_err()
    }

    #[test]
    fn sqlite_paths_are_relative_or_absolute() {
        assert_eq!("sqlite://a/b.db".parse(), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(fault("mysql://x"), DatabaseUrlError::Scheme);
        assert_eq!(fault("app.db"), DatabaseUrlError::Scheme);
        assert_eq!(fault("sqlite://"), DatabaseUrlError::NoPath);
        assert_eq!(fault("sqlite://:memory:"), DatabaseUrlError::Memory);
        assert_eq!(fault("sqlite://a.db?mode=ro"), DatabaseUrlError::Parameters);
        assert_eq!(fault("postgres:///name"), DatabaseUrlError::Incomplete);
        assert_eq!(fault("postgres://u:p@h/d?sslmode=require"), DatabaseUrlError::Tls);
        assert!(matches!(fault("postgres://u:p@h/d?sslmode=verify-full"), DatabaseUrlError::Postgres(_)));
    }

    #[test]
    fn the_password_is_masked_everywhere() {
        let url: DatabaseUrl = "postgresql://u:hunter2@h1:1,h2:2/d?sslmode=disable".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://u:***@h1:1,h2:2/d postgres://u:***@h1:1,h2:2/d");
        for broken in ["postgres://u:hunter2@h:notaport/d", "postgres://u:hunter2@h/d?x=hunter2"] {
            assert!(!format!("{0} {0:?}", fault(broken)).contains("hunter2"), "{broken}");
        }
    }
}
