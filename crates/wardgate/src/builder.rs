//! Puts a gate together: settings are checked, the database is opened and brought up to date, the services
//! are built in the order in which they may use each other.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::password::Scheme;
use wardgate_crypto::{Keyring, MasterKey};
use wardgate_store::{Db, DbOptions, StoreError};
use wardgate_verify::Algorithm;
use zeroize::Zeroizing;

use crate::background;
use crate::environment::Environment;
use crate::features::api_keys::ApiKeys;
use crate::features::audit::{Audit, AuditSettings, EventSink};
#[cfg(feature = "acme")]
use crate::features::certificates::{AcmeSettings, Certificates};
use crate::features::federation::{Federation, FederationSettings, ProviderSettings, ProviderView};
use crate::features::identities::Identities;
use crate::features::instance::{self, InstanceError, KeyUse, LastingKeys, Moved, Stage};
use crate::features::keys::{KeySettings, Keys};
use crate::features::lifecycle::Lifecycle;
use crate::features::limits::{Limits, RateLimits};
use crate::features::links::{LinkUrls, Links};
use crate::features::organizations::Organizations;
use crate::features::outbox::Outbox;
use crate::features::password::{Accounts, PasswordPolicy, PasswordSettings, Passwords, RegistrationMode};
use crate::features::recovery::Recovery;
use crate::features::roles::CustomRoles;
use crate::features::service_accounts::ServiceAccounts;
use crate::features::sessions::{BrowserSessions, Sessions};
use crate::features::setup::Setup;
use crate::features::signin::SignIn;
use crate::features::tenants::{self, Tenants};
use crate::features::tokens::{TokenSettings, Tokens};
use crate::features::transfer::Transfer;
use crate::features::users::Users;
use crate::gate::{Inner, Wardgate, WebSettings};
use crate::hashing::{HashPool, HashPoolSettings};
use crate::kernel::error::AuthError;
use crate::kernel::tenant::Branding;
use crate::migrations::MIGRATIONS;
use crate::ports::ephemeral::{Ephemeral, Memory};
use crate::ports::meter::Meter;
use crate::ports::{Clock, DevInbox, Mailer, Rng, SystemClock, SystemRng, UpstreamProvider};
use crate::web::cookie::{BindingCookie, SessionCookie};
use crate::web::cursor::Cursors;
use crate::web::envelope::Envelope;
use crate::web::origin::Origins;

/// Why a gate could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Settings that cannot be used, all of them.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// This database may not be used this way.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The database cannot be opened or brought up to date.
    #[error("database: {0}")]
    Store(#[from] StoreError),
    /// A service could not start.
    #[error("start: {0}")]
    Start(#[from] AuthError),
    /// The hashing threads could not be started.
    #[error("start the hashing threads: {0}")]
    Threads(#[from] std::io::Error),
}

/// Collects settings; see [`Wardgate::builder`].
pub struct Builder {
    issuer: Option<String>,
    audience: Option<String>,
    database: Option<DbOptions>,
    master_key: Option<MasterKey>,
    previous_master_keys: Vec<MasterKey>,
    stage: Option<Stage>,
    algorithm: Algorithm,
    hs256_secret: Option<Zeroizing<Vec<u8>>>,
    key_rotation: Duration,
    access_ttl: Duration,
    refresh_idle_ttl: Duration,
    refresh_max_ttl: Duration,
    refresh_grace: Duration,
    scheme: Scheme,
    policy: PasswordPolicy,
    hashing: HashPoolSettings,
    registration: RegistrationMode,
    mailer: Option<Arc<dyn Mailer>>,
    dev_inbox: Option<Arc<DevInbox>>,
    link_urls: LinkUrls,
    pages: bool,
    branding: Branding,
    rate_limits: RateLimits,
    nodes: u32,
    #[cfg(feature = "redis")]
    redis: Option<String>,
    browser_sessions: BrowserSessions,
    web: WebSettings,
    audit_retention: Duration,
    audit_sinks: Vec<Arc<dyn EventSink>>,
    providers: Vec<ProviderSettings>,
    custom_providers: Vec<(ProviderView, Arc<dyn UpstreamProvider>)>,
    internal_hosts: Vec<String>,
    #[cfg(feature = "acme")]
    acme: Option<AcmeSettings>,
    background: bool,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            database: None,
            master_key: None,
            previous_master_keys: Vec::new(),
            stage: Some(Stage::Production),
            algorithm: Algorithm::EdDsa,
            hs256_secret: None,
            key_rotation: Duration::from_secs(90 * 24 * 60 * 60),
            access_ttl: Duration::from_secs(15 * 60),
            refresh_idle_ttl: Duration::from_secs(7 * 24 * 60 * 60),
            refresh_max_ttl: Duration::from_secs(30 * 24 * 60 * 60),
            refresh_grace: Duration::from_secs(10),
            scheme: Scheme::default(),
            policy: PasswordPolicy::default(),
            hashing: HashPoolSettings::default(),
            registration: RegistrationMode::default(),
            mailer: None,
            dev_inbox: None,
            link_urls: LinkUrls::default(),
            pages: false,
            branding: Branding::default(),
            rate_limits: RateLimits::default(),
            nodes: 1,
            #[cfg(feature = "redis")]
            redis: None,
            browser_sessions: BrowserSessions::default(),
            web: WebSettings::default(),
            audit_retention: Duration::ZERO,
            audit_sinks: Vec::new(),
            providers: Vec::new(),
            custom_providers: Vec::new(),
            internal_hosts: Vec::new(),
            #[cfg(feature = "acme")]
            acme: None,
            background: true,
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(SystemRng),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
    )+};
}

impl Builder {
    /// The URL that tokens name as their issuer. Required.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The audience of access tokens; the issuer if it is not set.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The database. Required.
    #[must_use]
    pub fn database(mut self, database: DbOptions) -> Self {
        self.database = Some(database);
        self
    }

    /// The key that seals what the database must not give away. Required; losing it loses the signing keys.
    #[must_use]
    pub fn master_key(mut self, master_key: MasterKey) -> Self {
        self.master_key = Some(master_key);
        self
    }

    /// A secret shared with services that verify HS256, 32 bytes or more; makes HS256 the algorithm.
    #[must_use]
    pub fn hs256_secret(mut self, secret: Zeroizing<Vec<u8>>) -> Self {
        self.algorithm = Algorithm::Hs256;
        self.hs256_secret = Some(secret);
        self
    }

    /// What sends mail: a `SmtpMailer` of the cargo feature `smtp`, or your own. Without one nothing is mailed, and the
    /// routes that need mail answer 501.
    #[must_use]
    pub fn mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        self.mailer = Some(mailer);
        self
    }

    /// Shows mails in the log and at `/dev/inbox` instead of sending them. For development only: whoever opens the
    /// page reads everybody's links.
    #[must_use]
    pub fn dev_inbox(mut self) -> Self {
        let inbox = Arc::new(DevInbox::default());
        self.mailer = Some(Arc::clone(&inbox) as Arc<dyn Mailer>);
        self.dev_inbox = Some(inbox);
        self
    }

    /// Serves pages for people: `/sign-in`, `/register`, `/account` and what belongs to them; the how-to `pages.md` lists
    /// their paths. `branding` is that of the tenant `default`; without a name it goes by its host.
    #[cfg(feature = "pages")]
    #[must_use]
    pub fn pages(mut self, branding: Branding) -> Self {
        self.pages = true;
        self.branding = branding;
        self
    }

    /// A Redis or Valkey in which the nodes share the counters of their limits: `redis://` or `rediss://`. Without it
    /// each node takes its share of every limit.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(url.into());
        self
    }

    /// Gets the certificate of the server's own TLS from an authority, for [`Wardgate::certificates`]: whoever serves calls
    /// [`Certificates::tend`] and [`Certificates::look`] each second.
    #[cfg(feature = "acme")]
    #[must_use]
    pub fn acme(mut self, settings: AcmeSettings) -> Self {
        self.acme = Some(settings);
        self
    }

    /// Gives the records of the audit log to this sink too, once they are committed; from the beginning, if it is new.
    #[must_use]
    pub fn audit_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.audit_sinks.push(sink);
        self
    }

    /// Another provider through which users of the tenant `default` can sign in. Those of other tenants are set up at
    /// `/admin/providers`.
    ///
    /// ```
    /// # use wardgate::{Preset, ProviderSettings, Wardgate};
    /// let google = ProviderSettings::new("google", Preset::Google, "client id").secret("client secret");
    /// let builder = Wardgate::builder().provider(google);
    /// ```
    #[must_use]
    pub fn provider(mut self, provider: ProviderSettings) -> Self {
        self.providers.push(provider);
        self
    }

    /// As [`provider`](Self::provider), for one that is asked in another way. What it says of addresses leads to no
    /// account that is there.
    #[must_use]
    pub fn custom_provider(mut self, shown: ProviderView, provider: Arc<dyn UpstreamProvider>) -> Self {
        self.custom_providers.push((shown, provider));
        self
    }

    setters! {
        /// Hosts that requests to providers may reach wherever they lie, and over plain HTTP too; without them only the
        /// public network's, over HTTPS.
        internal_hosts: Vec<String>,
        /// Master keys that things may still be sealed under. The database stays under the one it is under until
        /// [`Wardgate::begin_master_key`] and [`Wardgate::reseal`].
        previous_master_keys: Vec<MasterKey>,
        /// What the database must be made for; `None` takes either, as the command line does.
        stage: Option<Stage>,
        /// What access tokens are signed with; EdDSA by default.
        algorithm: Algorithm,
        /// How long a key signs before the next takes over; 90 days by default.
        key_rotation: Duration,
        /// How long an access token lives; 15 minutes by default, 60 at most.
        access_ttl: Duration,
        /// How long a session lives without a refresh; 7 days by default.
        refresh_idle_ttl: Duration,
        /// How long a session lives at most; 30 days by default.
        refresh_max_ttl: Duration,
        /// How long a consumed refresh token still gets the same successor; 10 seconds by default, zero never.
        refresh_grace: Duration,
        /// How new passwords are hashed.
        scheme: Scheme,
        /// Which passwords are taken.
        policy: PasswordPolicy,
        /// The hashing threads.
        hashing: HashPoolSettings,
        /// Who may register.
        registration: RegistrationMode,
        /// Where the links in mails lead.
        link_urls: LinkUrls,
        /// How often may be tried.
        rate_limits: RateLimits,
        /// How many nodes serve this database; one by default.
        nodes: u32,
        /// How long browser sessions live, and how many a user has.
        browser_sessions: BrowserSessions,
        /// How the routes look from outside.
        web: WebSettings,
        /// How long audit records are kept; zero, the default, keeps all.
        audit_retention: Duration,
        /// Whether the gate does by itself what is due; if not, call [`Wardgate::maintain`] each minute,
        /// [`Wardgate::tend`] and [`Wardgate::feed_sinks`] each second.
        background: bool,
        /// The source of time.
        clock: Arc<dyn Clock>,
        /// The source of chance.
        rng: Arc<dyn Rng>,
    }

    /// Builds a gate that serves: opens and migrates the database, makes signing keys, and does what is due
    /// every minute until its last handle is dropped.
    ///
    /// # Errors
    /// All faulty settings at once; a database that is another's, newer, or unreachable.
    pub async fn build(self) -> Result<Wardgate, BuildError> {
        let background = self.background;
        let gate = self.build_tool().await?;
        gate.maintain().await?;
        if background {
            background::start(&gate);
        }
        Ok(gate)
    }

    /// Builds a gate for one command: like [`build`](Self::build), but makes no signing keys and does nothing
    /// by itself.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn build_tool(self) -> Result<Wardgate, BuildError> {
        self.open(Moved::Refused).await
    }

    /// [`build_tool`](Self::build_tool), of a database that may have been moved away.
    pub(crate) async fn open(mut self, moved: Moved) -> Result<Wardgate, BuildError> {
        self.check()?;
        let (Some(issuer), Some(database), Some(master)) =
            (self.issuer.take(), self.database.take(), self.master_key.take())
        else {
            return Err(BuildError::Settings(vec![
                "issuer, database and master_key are required".to_owned(),
            ]));
        };
        let db = Db::open(database).await?;
        db.migrate(MIGRATIONS).await?;
        let keyring = Arc::new(Keyring::new(master, std::mem::take(&mut self.previous_master_keys)));
        let lasting = instance::claim(&db, &keyring, self.rng.as_ref(), self.stage, moved).await??;
        let stats = db.clone();
        let env = Arc::new(Environment {
            db,
            clock: Arc::clone(&self.clock),
            rng: Arc::clone(&self.rng),
            meter: Arc::new(Meter::new(move || stats.stats())),
        });
        tenants::ensure_default(&env).await?;
        self.assemble(&env, &keyring, &lasting, &issuer)
    }

    /// The database that was given.
    pub(crate) fn database_options(&mut self) -> Option<&mut DbOptions> {
        self.database.as_mut()
    }

    fn check(&self) -> Result<(), BuildError> {
        let minute = Duration::from_secs(60);
        let mut faults = Vec::new();
        let mut fault = |found: bool, text: &str| {
            if found {
                faults.push(text.to_owned());
            }
        };
        fault(self.issuer.as_ref().is_none_or(String::is_empty), "issuer: give the URL that tokens name");
        fault(self.database.is_none(), "database: give a database");
        fault(self.master_key.is_none(), "master_key: give the key that seals signing keys");
        fault(self.access_ttl > 60 * minute, "access_ttl: must be at most 60 minutes");
        fault(self.access_ttl < Duration::from_secs(1), "access_ttl: must be at least a second");
        fault(
            self.refresh_idle_ttl > self.refresh_max_ttl,
            "refresh_idle_ttl: must not exceed refresh_max_ttl",
        );
        fault(self.refresh_grace > minute, "refresh_grace: must be at most 60 seconds");
        fault(
            self.algorithm == Algorithm::Hs256 && self.hs256_secret.is_none(),
            "hs256_secret: HS256 needs one",
        );
        fault(
            self.hs256_secret.as_ref().is_some_and(|secret| secret.len() < 32),
            "hs256_secret: must have 32 bytes or more",
        );
        if let Err(weak) = self.scheme.check() {
            faults.push(format!("scheme: {weak}"));
        }
        faults.extend(self.rate_limits.faults());
        faults.extend(self.link_urls.faults());
        if self.mailer.is_some() && !self.pages {
            faults.extend(self.link_urls.missing());
        }
        if self.registration == RegistrationMode::Verified && self.mailer.is_none() {
            faults.push("registration: proving addresses needs a mailer".to_owned());
        }
        let mut names: Vec<&str> = self.audit_sinks.iter().map(|sink| sink.name()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            faults.push(format!("audit_sink: there are two of the name {:?}", pair[0]));
        }
        #[cfg(feature = "redis")]
        if let Some(Err(wrong)) = self.redis.as_deref().map(crate::ports::ephemeral::check_url) {
            faults.push(format!("redis: {wrong}"));
        }
        if faults.is_empty() { Ok(()) } else { Err(BuildError::Settings(faults)) }
    }

    /// Where attempts are counted: in this process, or where all nodes see them.
    fn ephemeral(&self, env: &Environment) -> Result<Arc<dyn Ephemeral>, BuildError> {
        #[cfg(feature = "redis")]
        if let Some(url) = &self.redis {
            let redis = crate::ports::ephemeral::Redis::new(url, Arc::clone(&env.clock), self.nodes);
            return Ok(Arc::new(
                redis.map_err(|wrong| BuildError::Settings(vec![format!("redis: {wrong}")]))?,
            ));
        }
        Ok(Arc::new(Memory::new(Arc::clone(&env.clock), self.nodes)))
    }

    fn assemble(
        mut self,
        env: &Arc<Environment>,
        master: &Arc<Keyring>,
        lasting: &LastingKeys,
        issuer: &str,
    ) -> Result<Wardgate, BuildError> {
        let pool = Arc::new(HashPool::start(self.hashing, Arc::clone(&env.clock), Arc::clone(&env.meter))?);
        let audit_settings =
            AuditSettings { retention: self.audit_retention, sinks: std::mem::take(&mut self.audit_sinks) };
        let audit = Arc::new(Audit::new(Arc::clone(env), lasting, audit_settings));
        let limits = Arc::new(Limits::new(
            Arc::clone(env),
            Arc::clone(&audit),
            self.rate_limits.clone(),
            self.ephemeral(env)?,
            self.nodes,
            lasting.get(KeyUse::RateLimits),
        ));
        let outbox = Arc::new(Outbox::new(
            Arc::clone(env),
            Arc::clone(&audit),
            Arc::clone(master),
            self.mailer,
            self.link_urls.service(issuer),
        ));
        let links = Arc::new(Links::new(
            Arc::clone(env),
            Arc::clone(&outbox),
            lasting.get(KeyUse::MailedLinks),
            self.link_urls,
        ));
        let key_settings = KeySettings {
            algorithm: self.algorithm,
            hs256_secret: self.hs256_secret,
            rotation: self.key_rotation,
            token_life: self.access_ttl,
        };
        let keys = Arc::new(Keys::new(Arc::clone(env), Arc::clone(&audit), Arc::clone(master), key_settings));
        let token_settings = TokenSettings {
            audience: self.audience,
            access_ttl: self.access_ttl,
            refresh_idle_ttl: self.refresh_idle_ttl,
            refresh_max_ttl: self.refresh_max_ttl,
            refresh_grace: self.refresh_grace,
        };
        let successor_key = lasting.get(KeyUse::RefreshSuccessors);
        let api_keys = Arc::new(ApiKeys::new(Arc::clone(env), Arc::clone(&audit), Arc::clone(&limits)));
        let tokens = Arc::new(Tokens::new(
            Arc::clone(env),
            Arc::clone(&audit),
            Arc::clone(&limits),
            Arc::clone(&keys),
            Arc::clone(&api_keys),
            token_settings,
            successor_key,
        ));
        let password_settings = PasswordSettings {
            scheme: self.scheme,
            policy: self.policy,
            verified_only: self.registration == RegistrationMode::Verified,
        };
        let passwords = Arc::new(Passwords::new(
            Arc::clone(env),
            Arc::clone(&audit),
            Arc::clone(&limits),
            Arc::clone(&outbox),
            Arc::clone(&pool),
            password_settings,
        ));
        let accounts = Arc::new(Accounts::new(
            Arc::clone(env),
            Arc::clone(&audit),
            Arc::clone(&limits),
            Arc::clone(&passwords),
            Arc::clone(&outbox),
            Arc::clone(&links),
            self.registration,
        ));
        let federation_settings = FederationSettings {
            providers: self.providers,
            custom: self.custom_providers,
            internal_hosts: self.internal_hosts,
            registration: self.registration,
            flow_key: lasting.get(KeyUse::UpstreamFlows),
        };
        let federation = Federation::new(
            Arc::clone(env),
            Arc::clone(&audit),
            Arc::clone(&limits),
            Arc::clone(&outbox),
            Arc::clone(&accounts),
            Arc::clone(master),
            federation_settings,
        );
        let federation = Arc::new(federation.map_err(BuildError::Settings)?);
        let roles = Arc::new(CustomRoles::new(Arc::clone(env), Arc::clone(&audit)));
        let tenants = Arc::new(Tenants::new(Arc::clone(env), Arc::clone(&audit), issuer, self.branding));
        let origins = Origins::new(issuer, self.web.session_origins.clone());
        let envelope = Envelope {
            clock: Arc::clone(&env.clock),
            rng: Arc::clone(&env.rng),
            meter: Arc::clone(&env.meter),
            trusted_proxies: self.web.trusted_proxies.clone(),
            tls: self.web.tls,
            loopback_hosts_only: self.web.loopback_hosts_only,
        };
        #[cfg(feature = "acme")]
        let certificates =
            self.acme.map(|settings| Certificates::new(Arc::clone(env), Arc::clone(master), settings));
        Ok(Wardgate(Arc::new(Inner {
            #[cfg(feature = "acme")]
            certificates,
            roles: Arc::clone(&roles),
            service_accounts: ServiceAccounts::new(Arc::clone(env), Arc::clone(&audit)),
            users: Users::new(Arc::clone(env), Arc::clone(&audit)),
            organizations: Organizations::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&limits),
                Arc::clone(&links),
            ),
            api_keys,
            sessions: Sessions::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&limits),
                self.browser_sessions.clone(),
            ),
            upstream_cookie: BindingCookie::upstream(origins.are_secure()),
            link_cookie: BindingCookie::magic_link(origins.are_secure()),
            cookie: SessionCookie::new(origins.are_secure(), self.browser_sessions.max_ttl),
            origins,
            identities: Identities::new(Arc::clone(env)),
            signin: SignIn::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&limits),
                Arc::clone(&passwords),
                Arc::clone(&tokens),
                Arc::clone(&links),
                self.browser_sessions,
            ),
            recovery: Recovery::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&limits),
                Arc::clone(&outbox),
                Arc::clone(&links),
                Arc::clone(&passwords),
            ),
            lifecycle: Lifecycle::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&keys),
                Arc::clone(&tenants),
                Arc::clone(&roles),
                Arc::clone(&limits),
                Arc::clone(&federation),
            ),
            federation,
            tenants,
            setup: Setup::new(
                Arc::clone(env),
                Arc::clone(&audit),
                Arc::clone(&limits),
                Arc::clone(&accounts),
            ),
            transfer: Transfer::new(Arc::clone(env), Arc::clone(&audit), lasting.get(KeyUse::ImportLines)),
            cursors: Cursors::new(lasting.get(KeyUse::PageCursors)),
            envelope: Arc::new(envelope),
            stopping: std::sync::atomic::AtomicBool::new(false),
            web: self.web,
            #[cfg(feature = "pages")]
            pages: self.pages,
            env: Arc::clone(env),
            keyring: Arc::clone(master),
            pool,
            audit,
            limits,
            outbox,
            links,
            dev_inbox: self.dev_inbox,
            keys,
            tokens,
            passwords,
            accounts,
        })))
    }
}

impl Wardgate {
    /// Begins a gate.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use wardgate::{DbOptions, MasterKey, Wardgate};
    ///
    /// let gate = Wardgate::builder()
    ///     .issuer("https://api.example.com")
    ///     .database(DbOptions::new("sqlite://app.db".parse()?))
    ///     .master_key(MasterKey::from_base64(&std::env::var("MASTER_KEY")?)?)
    ///     .build()
    ///     .await?;
    /// let app: axum::Router = axum::Router::new().merge(gate.router());
    /// # Ok(()) }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }
}
