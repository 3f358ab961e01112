//! From the configuration to the library: reads its layers, and hands each setting on.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wardgate::{
    AcmeSettings, Algorithm, BrowserSessions, Builder, CorsOrigins, DatabaseUrl, DbOptions, DeniedPasswords,
    FileSink, HashPoolSettings, LinkUrls, MasterKey, Network, Outbound, PasswordPolicy, RateLimits,
    RegistrationMode, Scheme, SmtpMailer, SmtpSettings, SmtpTls, Stage, Wardgate, WebSettings, WebhookSink,
};
use zeroize::Zeroizing;

use crate::cli::Common;
use crate::config::{
    self, Acme, Config, ConfigFile, Database, Flag, Mode, RateLimit, RawConfig, Registration, Signing, Tls,
};
use crate::failure::Failure;
use crate::tls;

/// All layers of the configuration as they are given, not judged yet.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read(common: &Common, flags: &[Flag]) -> Result<RawConfig, Failure> {
    let files = ConfigFile::find(common.config.as_deref(), Path::new("")).map_err(Failure::Configuration)?;
    Ok(config::load(&files, config::of_process(), flags))
}

/// The configuration judged by the rules of `mode`.
///
/// # Errors
/// All faults.
pub(crate) fn settings(common: &Common, flags: &[Flag], mode: Mode) -> Result<Config, Failure> {
    Config::check(&read(common, flags)?, mode).map_err(Failure::Configuration)
}

/// The master key that the configuration gives, if it does.
///
/// # Errors
/// The library refuses some keys that the configuration lets pass outside production, such as placeholders.
pub(crate) fn master_key(config: &Config) -> Result<Option<MasterKey>, Failure> {
    let key = config.server.master_key.as_ref().map(|bytes| read_key("server.master_key", bytes.expose()));
    key.transpose()
}

fn read_key(setting: &str, bytes: &[u8]) -> Result<MasterKey, Failure> {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    MasterKey::from_base64(&text).map_err(|error| Failure::Usage(format!("{setting}: {error}")))
}

/// The master keys from before.
///
/// # Errors
/// As [`master_key`].
fn previous_master_keys(config: &Config) -> Result<Vec<MasterKey>, Failure> {
    let keys = config.server.previous_master_keys.iter();
    keys.map(|bytes| read_key("server.previous_master_key_files", bytes.expose())).collect()
}

/// How the database is opened.
pub(crate) fn db_options(url: DatabaseUrl, settings: &Database) -> DbOptions {
    let (commit_batch, pool) = (settings.commit_batch, settings.pool_size);
    DbOptions { commit_batch, pool, ..DbOptions::new(url) }
}

/// A builder with every setting but issuer, database and master key, which depend on the start.
///
/// # Errors
/// A breach list that cannot be read; a master key from before that the library refuses.
pub(crate) fn builder(config: &Config, mode: Mode) -> Result<Builder, Failure> {
    let (password, tokens) = (&config.password, &config.tokens);
    let builder = Wardgate::builder()
        .key_rotation(tokens.key_rotation)
        .access_ttl(tokens.access_ttl)
        .refresh_idle_ttl(tokens.refresh_idle_ttl)
        .refresh_max_ttl(tokens.refresh_max_ttl)
        .refresh_grace(tokens.refresh_grace)
        .scheme(scheme(password.scheme))
        .policy(policy(password)?)
        .hashing(hashing(password))
        .registration(registration(config.registration, mode))
        .link_urls(link_urls(&config.mail))
        .rate_limits(rate_limits(config.rate_limit))
        .nodes(config.server.nodes)
        .audit_retention(config.audit.retention)
        .internal_hosts(config.server.internal_hosts.clone())
        .browser_sessions(browser_sessions(&config.session))
        .web(web(config, mode))
        .stage(stage(mode))
        .previous_master_keys(previous_master_keys(config)?);
    let builder = if config.pages.enabled { builder.pages(config.pages.branding.clone()) } else { builder };
    let builder = match (&config.redis.url, mode) {
        // A command lets nobody in, so it has nothing to count.
        (None, _) | (_, Mode::Tool) => builder,
        (Some(url), _) => builder.redis(url.expose()),
    };
    let builder = match (&config.mail.smtp, mode) {
        // What a command has to mail waits for the server.
        (_, Mode::Tool) | (None, Mode::Production) => builder,
        (None, Mode::Dev) => builder.dev_inbox(),
        (Some(smtp), _) => builder.mailer(Arc::new(mailer(smtp)?)),
    };
    let builder = match mode {
        // A command signs nobody in.
        Mode::Tool => builder,
        _ => config.providers.iter().cloned().fold(builder, Builder::provider),
    };
    let builder = match &config.acme {
        Some(acme) => builder.acme(certificates(acme)?),
        None => builder,
    };
    let builder = match &tokens.audience {
        Some(audience) => builder.audience(audience),
        None => builder,
    };
    // A command gives no records away: the server does, at its own pace.
    let builder = if mode == Mode::Tool { builder } else { sinks(builder, config)? };
    Ok(sign_with(builder, &tokens.signing))
}

fn sinks(mut builder: Builder, config: &Config) -> Result<Builder, Failure> {
    let audit = &config.audit;
    if let Some(path) = &audit.file {
        let file = FileSink::open(path);
        let file =
            file.map_err(|error| Failure::Usage(format!("audit.file: {}: {error}", path.display())))?;
        builder = builder.audit_sink(Arc::new(file));
    }
    if let Some(config::Webhook { url, key }) = &audit.webhook {
        let outbound = Outbound::new(config.server.internal_hosts.iter().cloned());
        let webhook = outbound.and_then(|outbound| WebhookSink::new(outbound, url, key.clone()));
        let webhook = webhook.map_err(|error| Failure::Usage(format!("audit.webhook_url: {error}")))?;
        builder = builder.audit_sink(Arc::new(webhook));
    }
    Ok(builder)
}

fn certificates(acme: &Acme) -> Result<AcmeSettings, Failure> {
    let outbound =
        Outbound::for_authority(acme.internal_host.clone(), acme.roots.as_deref().map(str::as_bytes));
    Ok(AcmeSettings {
        directory: acme.directory.clone(),
        names: acme.domains.clone(),
        contact: acme.contact.clone(),
        outbound: outbound.map_err(|error| Failure::Usage(format!("acme.directory: {error}")))?,
        // Once more than a node's longest wait for its next look.
        spread: tls::LOOK * 2,
    })
}

fn sign_with(builder: Builder, signing: &Signing) -> Builder {
    match signing {
        Signing::EdDsa => builder.algorithm(Algorithm::EdDsa),
        Signing::Es256 => builder.algorithm(Algorithm::Es256),
        Signing::Rs256 => builder.algorithm(Algorithm::Rs256),
        Signing::Hs256(secret) => builder.hs256_secret(Zeroizing::new(secret.expose().clone())),
    }
}

/// Commands work on either stage: whoever may run them may do as much with a database client.
fn stage(mode: Mode) -> Option<Stage> {
    match mode {
        Mode::Dev => Some(Stage::Development),
        Mode::Production => Some(Stage::Production),
        Mode::Tool => None,
    }
}

fn scheme(scheme: config::Scheme) -> Scheme {
    match scheme {
        config::Scheme::Argon2id { memory_kib, iterations, parallelism } => {
            Scheme::Argon2id { memory_kib, iterations, parallelism }
        }
        config::Scheme::Bcrypt { cost } => Scheme::Bcrypt { cost },
    }
}

fn policy(password: &config::Password) -> Result<PasswordPolicy, Failure> {
    let denied = password.breach_list.as_deref().map(denied).transpose()?;
    Ok(PasswordPolicy { min_chars: password.min_length, denied })
}

fn denied(path: &Path) -> Result<Arc<DeniedPasswords>, Failure> {
    let list = File::open(path).and_then(|file| DeniedPasswords::read(BufReader::new(file)));
    let about = |error| Failure::Usage(format!("password.breach_list: {}: {error}", path.display()));
    list.map(Arc::new).map_err(about)
}

fn hashing(password: &config::Password) -> HashPoolSettings {
    HashPoolSettings {
        threads: password.hash_threads.unwrap_or(HashPoolSettings::default().threads),
        queue: password.hash_queue,
        deadline: password.hash_deadline,
    }
}

fn registration(registration: Registration, mode: Mode) -> RegistrationMode {
    match registration {
        // A command registers nobody, and has no mailer.
        _ if mode == Mode::Tool => RegistrationMode::Closed,
        Registration::Open => RegistrationMode::Open,
        Registration::Verified => RegistrationMode::Verified,
        Registration::Invite | Registration::Closed => RegistrationMode::Closed,
    }
}

fn link_urls(mail: &config::Mail) -> LinkUrls {
    LinkUrls {
        base: mail.link_base.clone(),
        verify: mail.verify_url.clone(),
        reset: mail.reset_url.clone(),
        magic_link: mail.magic_link_url.clone(),
        invitation: mail.invitation_url.clone(),
        organization: mail.organization_url.clone(),
    }
}

/// How long one step of the conversation with the mail server may take.
const SMTP_TIMEOUT: Duration = Duration::from_secs(20);

fn mailer(smtp: &config::Smtp) -> Result<SmtpMailer, Failure> {
    let credentials = smtp.credentials.as_ref();
    let settings = SmtpSettings {
        host: smtp.host.clone(),
        port: smtp.port,
        tls: match smtp.tls {
            Tls::Upgraded => SmtpTls::StartTls,
            Tls::Implicit => SmtpTls::Implicit,
            Tls::None => SmtpTls::None,
        },
        credentials: credentials
            .map(|(user, password)| (user.clone(), Zeroizing::new(password.expose().clone()))),
        from: smtp.from.clone(),
        timeout: SMTP_TIMEOUT,
    };
    SmtpMailer::new(settings).map_err(|error| Failure::Usage(format!("mail.{error}")))
}

fn rate_limits(given: RateLimit) -> RateLimits {
    let mut limits = RateLimits::default();
    limits.enabled = given.enabled;
    limits.sign_in_account = given.sign_in_account;
    limits.sign_in_source = given.sign_in_source;
    limits.sign_in_strangers = given.sign_in_strangers;
    limits.sign_in_tenant = given.sign_in_tenant;
    limits.register = given.register;
    limits.refresh = given.refresh;
    limits
}

fn browser_sessions(session: &config::Session) -> BrowserSessions {
    BrowserSessions {
        idle_ttl: session.idle_ttl,
        max_ttl: session.max_ttl,
        max_per_user: session.max_per_user,
    }
}

/// Networks as the library takes them.
pub(crate) fn networks(given: &[config::Network]) -> Vec<Network> {
    given.iter().map(|network| Network::new(network.address, network.prefix)).collect()
}

fn web(config: &Config, mode: Mode) -> WebSettings {
    let server = &config.server;
    WebSettings {
        docs: server.docs,
        cors: CorsOrigins { exact: server.cors.origins.clone(), any_loopback: server.cors.any_loopback },
        session_origins: config.session.allowed_origins.clone(),
        tls: config.ends_tls(),
        trusted_proxies: networks(&server.trusted_proxies),
        tenant_header: server.tenant_header.clone(),
        loopback_hosts_only: mode == Mode::Dev,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_and_the_server_limit_alike() {
        let config = Config::check(&config::load(&[], Vec::new(), &[]), Mode::Dev).unwrap();
        assert_eq!(rate_limits(config.rate_limit), RateLimits::default());
    }
}
