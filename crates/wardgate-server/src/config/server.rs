//! `[server]`: where it listens, what it is called, and the key that protects its data.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;

use super::Mode;
use super::acme;
use super::address::{self, Network, Origin};
use super::certificates::{self, Given};
use super::check::Checker;
use super::database::{Database, DatabaseUrl};
use super::limit::Limit;
use super::secret::{self, MASTER_KEY_BYTES, Secret};
use crate::tls::CertificatePlaces;

pub(crate) const LIMITS: &[(&str, Limit)] = &[
    ("server.nodes", Limit::Integer(1, 1000)),
    ("server.max_connections", Limit::Integer(1, 1_000_000)),
    ("server.shutdown_grace", Limit::Duration("0s", "10s")),
    ("server.shutdown_delay", Limit::Duration("0s", "60s")),
];

const LISTEN: &str = "server.listen";
const ISSUER: &str = "server.issuer";
const TENANT_HEADER: &str = "server.tenant_header";
const NODES: &str = "server.nodes";
const MASTER_KEY: &str = "server.master_key";
const PREVIOUS_MASTER_KEYS: &str = "server.previous_master_key_files";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    listen: String,
    issuer: Option<String>,
    tls_cert_file: Option<String>,
    tls_key_file: Option<String>,
    tls_folder: Option<String>,
    behind_proxy: bool,
    trusted_proxies: Vec<String>,
    tenant_header: Option<String>,
    docs: bool,
    cors_origins: Vec<String>,
    internal_hosts: Vec<String>,
    nodes: i64,
    max_connections: i64,
    shutdown_grace: String,
    shutdown_delay: String,
    master_key: Option<Secret<String>>,
    previous_master_key_files: Vec<String>,
}

/// The checked section.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    /// `None` only outside production: under `--dev` it is then `http://` and the address really listened on.
    pub(crate) issuer: Option<String>,
    /// The certificates, if they come from files.
    pub(crate) tls: Option<CertificatePlaces>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// In which a trusted proxy names the tenant.
    pub(crate) tenant_header: Option<HeaderName>,
    pub(crate) docs: bool,
    pub(crate) cors: Cors,
    /// Hosts that requests of the server's own may reach wherever they lie.
    pub(crate) internal_hosts: Vec<String>,
    /// How many servers share the database.
    pub(crate) nodes: u32,
    /// Over it, whoever asks for nothing makes room.
    pub(crate) max_connections: usize,
    /// At most ten seconds: the process must be gone by then.
    pub(crate) shutdown_grace: Duration,
    /// How long before that connections are still taken.
    pub(crate) shutdown_delay: Duration,
    /// `None` only outside production: the one that `--dev` made lies in the data folder.
    pub(crate) master_key: Option<Secret<[u8; MASTER_KEY_BYTES]>>,
    /// Those from before.
    pub(crate) previous_master_keys: Vec<Secret<[u8; MASTER_KEY_BYTES]>>,
}

/// Which pages of other origins may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cors {
    /// Exactly these, letter by letter.
    pub(crate) origins: Vec<String>,
    /// And any `http(s)://` on a loopback host, whatever the port: `--dev` only.
    pub(crate) any_loopback: bool,
}

pub(super) fn check(checker: &mut Checker<'_>) -> Option<Server> {
    let raw: RawServer = checker.section("server");
    let dev = checker.mode == Mode::Dev;
    let has_tls = certificates::are_given(checker) || checker.is_listed(acme::DOMAINS);
    let listen = listen(checker, &raw.listen, raw.behind_proxy || has_tls);
    let given = Given { chain: raw.tls_cert_file, key: raw.tls_key_file, folder: raw.tls_folder };
    let tls = certificates::check(checker, given);
    let issuer = issuer(checker, raw.issuer.as_deref());
    let master_key = master_key(checker, raw.master_key.as_ref());
    let previous = raw.previous_master_key_files.iter();
    let previous_master_keys = previous.filter_map(|path| previous_master_key(checker, path)).collect();
    let example = "an address or a network, such as \"10.0.0.0/8\"";
    let trusted_proxies =
        checker.items("server.trusted_proxies", &raw.trusted_proxies, example, Network::parse);
    let tenant_header = tenant_header(checker, raw.tenant_header.as_deref(), &raw.trusted_proxies);
    let example = "an origin as browsers send it, such as \"https://app.example.com\"";
    let origins = checker.items("server.cors_origins", &raw.cors_origins, example, origin);
    let example = "a host as a URL has it, such as \"siem.internal\", \"10.0.0.7\" or \"[fd00::7]\"";
    let mut internal_hosts = checker.items("server.internal_hosts", &raw.internal_hosts, example, |host| {
        address::check_host(host).map(|()| host.to_owned())
    });
    if let Some(hosts) = internal_hosts.as_mut().filter(|_| dev) {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    let nodes = checker.integer(NODES, raw.nodes);
    let max_connections = checker.integer("server.max_connections", raw.max_connections);
    let shutdown_grace = checker.duration("server.shutdown_grace", &raw.shutdown_grace);
    let shutdown_delay = checker.duration("server.shutdown_delay", &raw.shutdown_delay);
    Some(Server {
        listen: listen?,
        issuer,
        tls,
        trusted_proxies: trusted_proxies?,
        tenant_header,
        docs: raw.docs || (dev && !checker.is_given("server.docs")),
        cors: Cors { origins: origins?, any_loopback: dev },
        internal_hosts: internal_hosts?,
        nodes: nodes?,
        max_connections: max_connections?,
        shutdown_grace: shutdown_grace?,
        shutdown_delay: shutdown_delay?,
        master_key,
        previous_master_keys,
    })
}

/// Only one server runs on a SQLite file; several that each thought so would have limits too low for one.
pub(super) fn check_nodes(checker: &mut Checker<'_>, server: Option<&Server>, database: Option<&Database>) {
    let (Some(server), Some(database)) = (server, database) else { return };
    if server.nodes > 1 && matches!(database.url, DatabaseUrl::Sqlite(_)) {
        checker.fault(
            NODES,
            "is over 1, and a SQLite file has one server",
            "1, or a postgres:// address in database.url",
        );
    }
}

/// A header of the operator's own: one that means something already would be read for two things.
fn tenant_header(checker: &mut Checker<'_>, text: Option<&str>, proxies: &[String]) -> Option<HeaderName> {
    let text = text?;
    let is_taken = |name: &HeaderName| name == "x-api-key" || name.as_str().starts_with("x-forwarded-");
    let name = text.parse::<HeaderName>().ok().filter(|name| name.as_str().starts_with("x-"));
    match name {
        Some(name) if !is_taken(&name) && !proxies.is_empty() => Some(name),
        Some(name) if !is_taken(&name) => {
            checker.fault(
                TENANT_HEADER,
                "is believed from nobody, since server.trusted_proxies is empty",
                "the addresses of your proxies in trusted_proxies, or no tenant_header",
            );
            None
        }
        _ => {
            checker.fault(TENANT_HEADER, "is no name of a header of your own", "a name such as \"x-tenant\"");
            None
        }
    }
}

fn listen(checker: &mut Checker<'_>, text: &str, ends_tls: bool) -> Option<SocketAddr> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        checker.fault(LISTEN, "is no address and port", "\"127.0.0.1:8080\", or \"[::1]:8080\" for IPv6");
        return None;
    };
    let loopback = address.ip().to_canonical().is_loopback();
    match checker.mode {
        Mode::Dev if !loopback => {
            let remedy = "\"127.0.0.1:8080\", or a production configuration without --dev";
            checker.fault(LISTEN, "is no loopback address, and --dev takes no other", remedy);
        }
        // Passwords and tokens would cross the network for all to read. (S-136)
        Mode::Production if !loopback && !ends_tls => checker.fault(
            LISTEN,
            "would serve plain HTTP to the network",
            "tls_cert_file and tls_key_file, or tls_folder, or domains in section [acme], or \"127.0.0.1:8080\" behind a TLS \
             proxy on this machine, or behind_proxy = true if one elsewhere ends TLS",
        ),
        _ => {}
    }
    Some(address)
}

fn issuer(checker: &mut Checker<'_>, text: Option<&str>) -> Option<String> {
    let Some(text) = text else {
        if checker.mode == Mode::Production {
            checker.missing(ISSUER, "is needed: tokens carry it, and whoever checks them compares it");
        }
        return None;
    };
    if let Err(problem) = check_issuer(text, checker.mode) {
        let remedy = match checker.mode {
            Mode::Dev => "nothing: --dev fills it in; or http://localhost and the port",
            _ => "the public address, such as \"https://auth.example.com\"",
        };
        checker.fault(ISSUER, problem, remedy);
    }
    Some(text.to_owned())
}

/// Refuses what is no issuer (RFC 8414 section 2), and plain HTTP outside `--dev`: keys fetched over it could be
/// anybody's.
fn check_issuer(text: &str, mode: Mode) -> Result<(), &'static str> {
    let (origin, path) = address::parse(text)?;
    address::check_issuer_path(path)?;
    match mode {
        Mode::Dev if !origin.is_loopback() => Err("is no loopback address, and --dev takes no other"),
        Mode::Production if !origin.https => Err("is plain HTTP, which only --dev takes"),
        _ => Ok(()),
    }
}

/// Reads an origin as browsers send it.
pub(super) fn origin(text: &str) -> Result<String, &'static str> {
    match address::parse(text)? {
        (Origin { .. }, "") => Ok(text.to_owned()),
        _ => Err("has something behind the host, which no browser sends as an origin"),
    }
}

fn master_key(
    checker: &mut Checker<'_>,
    text: Option<&Secret<String>>,
) -> Option<Secret<[u8; MASTER_KEY_BYTES]>> {
    const REMEDY: &str = "the output of `openssl rand -base64 32`";
    let production = checker.mode == Mode::Production;
    let Some(text) = text else {
        if production {
            let remedy = "the path of a file with the output of `openssl rand -base64 32` in \
                          WARDGATE_SERVER__MASTER_KEY_FILE, or master_key_file in section [server]";
            checker.fault(MASTER_KEY, "is needed: it seals the signing keys in the database", remedy);
        }
        return None;
    };
    let key = secret::master_key(text.expose());
    match &key {
        None => checker.fault(MASTER_KEY, "is not base64 of 32 bytes", REMEDY),
        Some(key) if production && secret::is_no_random_key(key.expose()) => {
            checker.fault(MASTER_KEY, "is a placeholder, not random bytes", REMEDY);
        }
        Some(_) => {}
    }
    checker.private(MASTER_KEY);
    key
}

/// A file of a key from before; what is no key opens nothing, so it is as good as none.
fn previous_master_key(checker: &mut Checker<'_>, path: &str) -> Option<Secret<[u8; MASTER_KEY_BYTES]>> {
    const REMEDY: &str = "the files of master keys from before, each as master_key_file was";
    let file = checker.path(PREVIOUS_MASTER_KEYS, path);
    let shown = file.display();
    let key = match secret::read_file(&file) {
        Ok(text) => secret::master_key(&text),
        Err(error) => {
            checker.fault(PREVIOUS_MASTER_KEYS, format!("{shown} cannot be read: {error}"), REMEDY);
            return None;
        }
    };
    if key.is_none() {
        checker.fault(PREVIOUS_MASTER_KEYS, format!("{shown} is not base64 of 32 bytes"), REMEDY);
    }
    checker.private_file(PREVIOUS_MASTER_KEYS, &file);
    key
}
