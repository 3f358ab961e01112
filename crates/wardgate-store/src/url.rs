//! Where the database is: `sqlite://…` or `postgres://…`.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

/// The address of a database. `Debug` and `Display` mask the password.
///
/// * `sqlite://data/app.db` is relative to the working directory, `sqlite:///var/lib/app.db` absolute;
/// * `postgres://user:password@host:5432/name` (also `postgresql://`), with libpq's parameters.
///
/// Of those, `sslmode` and `sslrootcert` mean what they mean to libpq, with three exceptions. `verify-full` without
/// `sslrootcert` goes by the roots that Mozilla's programs trust. Only `subjectAltName` names a server, no common name
/// (RFC 9525 section 2). And where `prefer` begins with TLS, a handshake that fails is not followed by a connection
/// without.
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
pub struct PostgresUrl {
    /// Also says whether there is to be TLS.
    pub(crate) config: Box<tokio_postgres::Config>,
    pub(crate) trust: Trust,
}

/// Whose certificate is taken, where there is TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Anybody's: what is sent cannot be read on the way, but whoever answers may be somebody else.
    Anybody,
    /// That of whoever a root in this file vouches for.
    Chain(PathBuf),
    /// The same, if it also names the host; by the roots of the web if there is no file.
    ChainAndName(Option<PathBuf>),
}

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
    /// `allow` is one of libpq's and is refused: it prefers a connection without TLS.
    #[error("sslmode is one of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
    /// A file of roots that nothing is checked by, or no file where one has to be.
    #[error(
        "sslrootcert names a file of certificates; verify-ca demands it, require and verify-full may have it, and \
         with other values of sslmode it would do nothing"
    )]
    RootCertificates,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return sqlite_path(path).map(Self::Sqlite);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres_url(text).map(Self::Postgres);
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

fn postgres_url(text: &str) -> Result<PostgresUrl, DatabaseUrlError> {
    let (rest, tls) = Tls::split_off(text)?;
    let mut config = tokio_postgres::Config::from_str(&rest).map_err(|error| {
        DatabaseUrlError::Postgres(
            std::error::Error::source(&error).map_or_else(String::new, ToString::to_string),
        )
    })?;
    if config.get_user().is_none() || (config.get_hosts().is_empty() && config.get_hostaddrs().is_empty()) {
        return Err(DatabaseUrlError::Incomplete);
    }
    let (mode, trust) = tls.read()?;
    config.ssl_mode(if only_sockets(&config) { SslMode::Disable } else { mode });
    if config.get_hosts().is_empty() {
        // As libpq does: the address is then the name that a certificate is held against.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    Ok(PostgresUrl { config: Box::new(config), trust })
}

/// There is no TLS on a Unix socket, and libpq ignores what is said of it there.
#[cfg(unix)]
fn only_sockets(config: &tokio_postgres::Config) -> bool {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    addresses.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_)))
}

#[cfg(not(unix))]
fn only_sockets(_: &tokio_postgres::Config) -> bool {
    false
}

/// The parameters of which the driver knows less than libpq; of one that is given twice, the last counts.
#[derive(Default)]
struct Tls {
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
}

impl Tls {
    /// Takes them out of a URL and gives back what remains.
    fn split_off(text: &str) -> Result<(String, Self), DatabaseUrlError> {
        let mut tls = Self::default();
        // A password may hold a question mark; the driver ends it at the first @.
        let after_user = text.find('@').map_or(0, |at| at + 1);
        let Some(mark) = text[after_user..].find('?').map(|mark| after_user + mark) else {
            return Ok((text.to_owned(), tls));
        };
        let mut others = Vec::new();
        for parameter in text[mark + 1..].split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match &*decoded(name)? {
                "sslmode" => tls.sslmode = Some(decoded(value)?.into_owned()),
                "sslrootcert" => {
                    tls.sslrootcert =
                        Some(decoded(value)?.into_owned().into()).filter(|path| path != Path::new(""));
                }
                _ => others.push(parameter),
            }
        }
        let mark = if others.is_empty() { "" } else { "?" };
        let address = text.split_at(after_user).1.split('?').next().unwrap_or_default();
        Ok((format!("{}{address}{mark}{}", &text[..after_user], others.join("&")), tls))
    }

    fn read(self) -> Result<(SslMode, Trust), DatabaseUrlError> {
        let Self { sslmode, sslrootcert } = self;
        match (sslmode.as_deref().unwrap_or("prefer"), sslrootcert) {
            ("disable", None) => Ok((SslMode::Disable, Trust::Anybody)),
            ("prefer", None) => Ok((SslMode::Prefer, Trust::Anybody)),
            ("require", None) => Ok((SslMode::Require, Trust::Anybody)),
            ("require" | "verify-ca", Some(roots)) => Ok((SslMode::Require, Trust::Chain(roots))),
            ("verify-full", roots) => Ok((SslMode::Require, Trust::ChainAndName(roots))),
            ("disable" | "prefer" | "verify-ca", _) => Err(DatabaseUrlError::RootCertificates),
            _ => Err(DatabaseUrlError::SslMode),
        }
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, DatabaseUrlError> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| DatabaseUrlError::Postgres("a parameter is not UTF-8".to_owned()))
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
        let password = self.config.get_password().map_or("", |_| ":***");
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "postgres://{user}{password}@")?;
        for (index, host) in hosts(&self.config).iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let port =
                self.config.get_ports().get(index).or(self.config.get_ports().first()).unwrap_or(&5432);
            write!(f, "{comma}{host}:{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or(user))
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
        for mode in ["allow", "VERIFY-FULL", "verify_full", "", "none"] {
            assert_eq!(fault(&format!("postgres://u:p@h/d?sslmode={mode}")), DatabaseUrlError::SslMode);
        }
        for parameters in ["sslrootcert=a", "sslmode=disable&sslrootcert=a", "sslmode=verify-ca"] {
            let fault = fault(&format!("postgres://u:p@h/d?{parameters}"));
            assert_eq!(fault, DatabaseUrlError::RootCertificates, "{parameters}");
        }
        for unknown in ["sslcert=a", "sslmodes=require", "x"] {
            let fault = fault(&format!("postgres://u:p@h/d?sslmode=require&{unknown}"));
            assert!(matches!(fault, DatabaseUrlError::Postgres(_)), "{unknown}");
        }
    }

    fn tls(text: &str) -> (SslMode, Trust) {
        let Ok(DatabaseUrl::Postgres(url)) = text.parse() else { panic!("{text}") };
        (url.config.get_ssl_mode(), url.trust)
    }

    #[test]
    fn tls_is_as_libpq_has_it() {
        let file = PathBuf::from("/a b/ca.crt");
        for (parameters, mode, trust) in [
            ("", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("?sslmode=prefer", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=require", SslMode::Require, Trust::Anybody),
            ("?sslmode=require&sslrootcert=/a%20b/ca.crt", SslMode::Require, Trust::Chain(file.clone())),
            ("?sslrootcert=/a b/ca.crt&sslmode=verify-ca", SslMode::Require, Trust::Chain(file.clone())),
            ("?sslmode=verify-full", SslMode::Require, Trust::ChainAndName(None)),
            ("?sslmode=verify-full&sslrootcert=", SslMode::Require, Trust::ChainAndName(None)),
            ("?sslmode=disable&ssl%6dode=verify-full", SslMode::Require, Trust::ChainAndName(None)),
            (
                "?sslmode=verify-full&sslrootcert=%2Fa%20b/ca.crt&connect_timeout=3",
                SslMode::Require,
                Trust::ChainAndName(Some(file.clone())),
            ),
        ] {
            for address in ["postgres://u:p@h:1/d", "postgresql://u:p?sslmode=disable@h"] {
                let found = tls(&format!("{address}{parameters}"));
                assert_eq!(found, (mode, trust.clone()), "{address}{parameters}");
            }
        }
    }

    #[test]
    fn the_other_parameters_are_the_drivers() {
        let url = "postgres://u:p?w@h/d?connect_timeout=3&sslmode=verify-full&application_name=a%26b";
        let Ok(DatabaseUrl::Postgres(url)) = url.parse() else { panic!() };
        assert_eq!(url.config.get_password(), Some(b"p?w".as_slice()));
        assert_eq!(url.config.get_dbname(), Some("d"));
        assert_eq!(url.config.get_application_name(), Some("a&b"));
        assert_eq!(url.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(3)));
    }

    #[cfg(unix)]
    #[test]
    fn on_a_socket_there_is_no_tls() {
        assert_eq!(tls("postgres://u@%2Frun%2Fpostgresql/d?sslmode=require").0, SslMode::Disable);
        // Not where one of several hosts is reached over the network.
        assert_eq!(tls("postgres://u@%2Frun,h/d?sslmode=require").0, SslMode::Require);
    }

    #[test]
    fn an_address_without_a_name_is_its_own_name() {
        let Ok(DatabaseUrl::Postgres(url)) = "postgres:///d?user=u&hostaddr=10.0.0.5".parse() else {
            panic!()
        };
        assert_eq!(url.config.get_hosts(), [Host::Tcp("10.0.0.5".to_owned())]);
        assert_eq!(url.to_string(), "postgres://u@10.0.0.5:5432/d");
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
