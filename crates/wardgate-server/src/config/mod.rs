//! The server's configuration: `wardgate.default.toml` ← file ← environment ← flags.
//!
//! `load` reads the layers, `Config::check` judges the values; both note every fault and go on, so that one run
//! shows all of them. The embedded file says which settings exist (`shape`), one table a section says what they
//! may be (`limit`), and the schema and the documentation are made from the two (`describe`).

mod acme;
mod address;
mod audit;
mod certificates;
mod check;
mod database;
mod describe;
mod duration;
mod environment;
mod fault;
mod file;
mod layer;
mod limit;
mod load;
mod mail;
mod metrics;
mod nearest;
mod pages;
mod password;
mod providers;
mod rate_limit;
mod redis;
mod registration;
mod secret;
mod server;
mod session;
mod shape;
mod show;
mod telemetry;
mod tokens;

use check::Checker;
use wardgate::ProviderSettings;

pub(crate) use acme::Acme;
pub(crate) use address::Network;
pub(crate) use audit::{Audit, Webhook};
pub(crate) use database::{Database, DatabaseUrl, has_password};
pub(crate) use describe::schema;
pub(crate) use environment::of_process;
pub(crate) use fault::{Fault, report};
pub(crate) use file::ConfigFile;
pub(crate) use load::{Flag, RawConfig, load};
pub(crate) use mail::{Mail, Smtp, Tls};
pub(crate) use metrics::Metrics;
pub(crate) use pages::Pages;
pub(crate) use password::{Password, Scheme};
pub(crate) use rate_limit::RateLimit;
pub(crate) use redis::Redis;
pub(crate) use registration::Registration;
pub(crate) use secret::{open_to_all, read_file as read_secret_file};
pub(crate) use server::Server;
pub(crate) use session::Session;
pub(crate) use show::{show, show_json};
pub(crate) use telemetry::{Format, Telemetry};
#[cfg(feature = "otlp")]
pub(crate) use telemetry::{Header, Otlp};
pub(crate) use tokens::{Signing, Tokens};

/// Which rules a configuration is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `serve --dev`: loopback only; issuer and master key may be absent.
    Dev,
    /// `serve` and `config check`: refuses what is unsafe.
    Production,
    /// Every other command: needs the database and the master key, and minds no other setting.
    Tool,
}

/// Settings that were checked and belong together.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) server: Server,
    /// `None`: the certificate, if there is one, comes from files.
    pub(crate) acme: Option<Acme>,
    pub(crate) database: Database,
    pub(crate) tokens: Tokens,
    pub(crate) session: Session,
    pub(crate) password: Password,
    pub(crate) registration: Registration,
    pub(crate) mail: Mail,
    pub(crate) pages: Pages,
    pub(crate) rate_limit: RateLimit,
    pub(crate) redis: Redis,
    pub(crate) audit: Audit,
    pub(crate) providers: Vec<ProviderSettings>,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
}

impl Config {
    /// Judges the values by the rules of `mode`.
    ///
    /// # Errors
    /// All faults, those met while loading first. In `Mode::Tool` only those of the database and the master key:
    /// a setting with any other fault counts as not given.
    pub(crate) fn check(raw: &RawConfig, mode: Mode) -> Result<Self, Vec<Fault>> {
        if mode == Mode::Tool { Self::for_tool(raw.clone()) } else { Self::attempt(raw, mode) }
    }

    fn attempt(raw: &RawConfig, mode: Mode) -> Result<Self, Vec<Fault>> {
        let mut checker = Checker::new(raw, mode);
        let config = Self::sections(&mut checker);
        let faults = checker.finish();
        config.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// Checks every section before the first `?`, so that a fault in one hides none in another.
    fn sections(checker: &mut Checker<'_>) -> Option<Self> {
        let server = server::check(checker);
        let acme = acme::check(checker, server.as_ref());
        let database = database::check(checker);
        server::check_nodes(checker, server.as_ref(), database.as_ref());
        let tokens = tokens::check(checker);
        let session = session::check(checker);
        let password = password::check(checker);
        let registration = registration::check(checker);
        let mail = mail::check(checker);
        mail::check_registration(checker, registration, mail.as_ref());
        let pages = pages::check(checker);
        pages::check_mail(checker, pages.as_ref(), mail.as_ref());
        let rate_limit = rate_limit::check(checker);
        let redis = redis::check(checker);
        let audit = audit::check(checker, server.as_ref());
        let providers = providers::check(checker, server.as_ref());
        let metrics = metrics::check(checker);
        let telemetry = telemetry::check(checker, server.as_ref());
        Some(Self {
            server: server?,
            acme,
            database: database?,
            tokens: tokens?,
            session: session?,
            password: password?,
            registration: registration?,
            mail: mail?,
            pages: pages?,
            rate_limit: rate_limit?,
            redis,
            audit: audit?,
            providers: providers?,
            metrics,
            telemetry: telemetry?,
        })
    }

    /// Whether the server ends TLS itself.
    pub(crate) fn ends_tls(&self) -> bool {
        self.server.tls.is_some() || self.acme.is_some()
    }

    fn for_tool(mut raw: RawConfig) -> Result<Self, Vec<Fault>> {
        raw.faults.retain(matters_to_tools);
        loop {
            let faults = match Self::attempt(&raw, Mode::Tool) {
                Ok(config) => return Ok(config),
                Err(faults) => faults,
            };
            if faults.iter().any(matters_to_tools) {
                return Err(faults.into_iter().filter(matters_to_tools).collect());
            }
            if !raw.forget_faulty(&faults) {
                return Err(faults);
            }
        }
    }
}

/// A file that is not TOML matters too: nobody knows what it says of the database.
fn matters_to_tools(fault: &Fault) -> bool {
    fault.key.as_deref().is_none_or(is_essential)
}

/// The settings that every command needs.
fn is_essential(path: &str) -> bool {
    ["database.", "server.master_key", "server.previous_master_key"].iter().any(|each| path.starts_with(each))
}

#[cfg(test)]
mod tests;
