//! The handle that applications hold.

use std::sync::Arc;

use axum::Router;
use wardgate_crypto::Keyring;
use wardgate_store::{Db, DbOptions, StoreError};

use crate::authn::RequireRole;
use crate::environment::Environment;
use crate::features::api_keys::{self, ApiKeys};
use crate::features::audit::{Actor, Audit};
#[cfg(feature = "acme")]
use crate::features::certificates::Certificates;
use crate::features::federation::Federation;
use crate::features::identities::Identities;
use crate::features::instance;
use crate::features::keys::Keys;
use crate::features::lifecycle::Lifecycle;
use crate::features::limits::Limits;
use crate::features::links::Links;
use crate::features::organizations::Organizations;
use crate::features::outbox::Outbox;
use crate::features::password::{Accounts, Passwords};
use crate::features::recovery::Recovery;
use crate::features::roles::{Authority, Caller, CustomRoles};
use crate::features::service_accounts::ServiceAccounts;
use crate::features::sessions::{self, Sessions};
use crate::features::setup::Setup;
use crate::features::signin::SignIn;
use crate::features::tenants::{self, Tenants};
use crate::features::tokens::Tokens;
use crate::features::transfer::Transfer;
use crate::features::users::Users;
use crate::hashing::HashPool;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{RequestId, TenantId};
use crate::kernel::language::Language;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::migrations::MIGRATIONS;
use crate::ports::DevInbox;
use crate::router;
use crate::web::cookie::{BindingCookie, SessionCookie};
use crate::web::cursor::Cursors;
use crate::web::envelope::Envelope;
use crate::web::origin::Origins;
use crate::web::routes::Endpoint;

/// One authentication service: cheap to clone, holds no global state, so that two can live in one process.
///
/// Everything the routes do is also a method of one of its services.
#[derive(Clone)]
pub struct Wardgate(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) env: Arc<Environment>,
    pub(crate) pool: Arc<HashPool>,
    #[cfg(feature = "acme")]
    pub(crate) certificates: Option<Certificates>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) links: Arc<Links>,
    pub(crate) dev_inbox: Option<Arc<DevInbox>>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) users: Users,
    pub(crate) roles: Arc<CustomRoles>,
    pub(crate) service_accounts: ServiceAccounts,
    pub(crate) organizations: Organizations,
    pub(crate) api_keys: Arc<ApiKeys>,
    pub(crate) sessions: Sessions,
    pub(crate) cookie: SessionCookie,
    pub(crate) link_cookie: BindingCookie,
    pub(crate) upstream_cookie: BindingCookie,
    pub(crate) origins: Origins,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) identities: Identities,
    pub(crate) federation: Arc<Federation>,
    pub(crate) signin: SignIn,
    pub(crate) recovery: Recovery,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) setup: Setup,
    pub(crate) transfer: Transfer,
    pub(crate) cursors: Cursors,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) web: WebSettings,
    #[cfg(feature = "pages")]
    pub(crate) pages: bool,
    pub(crate) stopping: std::sync::atomic::AtomicBool,
}

/// What the routes look like from outside.
#[derive(Debug, Clone, Default)]
pub struct WebSettings {
    /// Whether `/docs` and `/openapi.json` are there.
    pub docs: bool,
    /// Which other sites' pages may call the API.
    pub cors: CorsOrigins,
    /// Origins besides the API's own and the issuer's whose pages may write with a session's cookie, and to whose pages a
    /// browser may be sent once it has signed in.
    pub session_origins: Vec<String>,
    /// Whether every client is on TLS: answers then tell browsers to stay on it. Those that come through a trusted proxy
    /// are told so if it says `X-Forwarded-Proto: https`.
    pub tls: bool,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<crate::kernel::network::Network>,
    /// The header in which those of them that are the peer itself name the tenant by its slug, or by `default`. A
    /// proxy has to set it on each request, or a client can; a path `/t/{slug}/` goes before it.
    pub tenant_header: Option<http::HeaderName>,
    /// Whether only loopback Host names are answered: for development.
    pub loopback_hosts_only: bool,
}

/// Which other sites' pages may call the API; never with credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsOrigins {
    /// Origins, compared exactly, such as `https://app.example.com`.
    pub exact: Vec<String>,
    /// Whether any origin on a loopback host passes: for development.
    pub any_loopback: bool,
}

impl Wardgate {
    /// The routes, for any state: `app.merge(gate.router())`. Their own state is already inside. Paths that are
    /// not Wardgate's are left to the application.
    ///
    /// Serve with `into_make_service_with_connect_info::<SocketAddr>()`, or every client counts as one source.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        router::embedded(self)
    }

    /// The routes as a server of their own: with a 404 problem for every other path.
    pub fn into_app(&self) -> Router {
        router::standalone(self)
    }

    /// Writes what is counted, as OpenMetrics text but for its last line, `# EOF`: an application can add its own. No
    /// secret is in it and nobody's name, but how busy one is concerns no stranger: serve it on a listener of its own.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_metrics(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        self.0.env.meter.write(out)
    }

    /// Every route with its method and who may call it.
    pub fn endpoints() -> Vec<Endpoint> {
        router::table().into_iter().map(|route| route.endpoint).collect()
    }

    /// Every page for people with its method and who may open it; they are no part of [`endpoints`](Self::endpoints).
    #[cfg(feature = "pages")]
    pub fn page_endpoints() -> Vec<Endpoint> {
        crate::pages::table().into_iter().map(|route| route.endpoint).collect()
    }

    /// The OpenAPI 3.1 description of the routes.
    pub fn openapi() -> serde_json::Value {
        router::description()
    }

    /// The names of the migrations that a database still lacks, oldest first; it is changed in no way.
    pub async fn pending_migrations(database: DbOptions) -> Result<Vec<&'static str>, StoreError> {
        let db = Db::open(database).await?;
        let pending = db.pending(MIGRATIONS).await;
        db.close().await;
        Ok(pending?.missing.iter().map(|migration| migration.name).collect())
    }

    /// A layer that lets only those with `role`, built in or the tenant's own, or one above it, through to a subtree.
    pub fn require_role(&self, role: &str) -> RequireRole {
        RequireRole::new(self.clone(), role)
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// The certificate of the server's own TLS, if it comes from an [authority](crate::Builder::acme).
    #[cfg(feature = "acme")]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.0.certificates.as_ref()
    }

    /// Signing keys.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Tenants.
    pub fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    /// Users.
    pub fn users(&self) -> &Users {
        &self.0.users
    }

    /// The roles that tenants make of permissions.
    pub fn roles(&self) -> &CustomRoles {
        &self.0.roles
    }

    /// Service accounts.
    pub fn service_accounts(&self) -> &ServiceAccounts {
        &self.0.service_accounts
    }

    /// Organizations.
    pub fn organizations(&self) -> &Organizations {
        &self.0.organizations
    }

    /// API keys.
    pub fn api_keys(&self) -> &ApiKeys {
        &self.0.api_keys
    }

    /// Sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Access and refresh tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Making accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// Users as other providers know them.
    pub fn identities(&self) -> &Identities {
        &self.0.identities
    }

    /// Other providers through which people sign in.
    pub fn federation(&self) -> &Federation {
        &self.0.federation
    }

    /// Signing in.
    pub fn signin(&self) -> &SignIn {
        &self.0.signin
    }

    /// Proving and changing addresses by mail, and getting back in.
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// Changing users, their roles and activity, and deleting them.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    /// The way to the first superadmin.
    pub fn setup(&self) -> &Setup {
        &self.0.setup
    }

    /// Users in from another program, and out again.
    pub fn transfer(&self) -> &Transfer {
        &self.0.transfer
    }

    pub(crate) fn cookie(&self) -> &SessionCookie {
        &self.0.cookie
    }

    pub(crate) fn link_cookie(&self) -> &BindingCookie {
        &self.0.link_cookie
    }

    pub(crate) fn upstream_cookie(&self) -> &BindingCookie {
        &self.0.upstream_cookie
    }

    /// Origins besides our own whose pages a browser may be sent to.
    pub(crate) fn page_origins(&self) -> &[String] {
        &self.0.web.session_origins
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.0.origins
    }

    /// Whether mails are shown at `/dev/inbox`.
    #[cfg(feature = "pages")]
    pub(crate) fn shows_mails(&self) -> bool {
        self.0.dev_inbox.is_some()
    }

    /// Where a request comes from; on a route of the application's own nobody has said so yet.
    pub(crate) fn source_of(&self, parts: &http::request::Parts) -> Source {
        let known = parts.extensions.get::<Source>().cloned();
        known.unwrap_or_else(|| self.0.envelope.source(&parts.headers, &parts.extensions))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.env.now()
    }

    pub(crate) fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }

    /// An origin for what no request asked for: the command line, a schedule.
    pub fn own_source(&self) -> Source {
        let request_id = RequestId::new(self.0.env.now(), self.0.env.random());
        Source { address: None, user_agent: None, language: Language::default(), request_id }
    }

    /// An operator at the machine, as whom the command line makes its changes.
    pub fn operator(&self) -> Caller {
        let (actor, authority) = (Actor::CommandLine, Authority::Operator);
        Caller { actor, authority, api_key: None, source: self.own_source() }
    }

    /// Does what is due: writes down what limits refused, rotates keys, removes what ended long ago, measures hash
    /// schemes. A built gate does this every minute by itself.
    pub async fn maintain(&self) -> Result<(), AuthError> {
        self.0.limits.flush().await?;
        let source = self.own_source();
        self.0.keys.reload(TenantId::DEFAULT).await?;
        self.0.limits.purge().await?;
        self.0.links.purge().await?;
        self.0.federation.purge().await?;
        let hour = std::time::Duration::from_secs(60 * 60);
        sessions::purge(&self.0.env, self.0.env.now().minus(hour)).await?;
        // Longer than a session: somebody may want to know which key was used until lately.
        api_keys::purge(&self.0.env, self.0.env.now().minus(30 * 24 * hour)).await?;
        // One tenant after the other, oldest first; nothing is held of them but a few ids.
        let (mut last, mut done) = (None, Ok(()));
        loop {
            let some = tenants::list_ids(&self.0.env, last).await?;
            let Some(newest) = some.last() else { return done };
            last = Some(*newest);
            for tenant in some {
                // One that fails, as when it is deleted meanwhile, keeps none of the others from what is due.
                done = done.and(self.0.keys.maintain(tenant, &source).await.map(drop));
                done = done.and(self.0.passwords.calibrate(tenant).await);
                done = done.and(self.0.audit.remove_old(tenant).await.map(drop));
            }
        }
    }

    /// Does what is due each second: writes down what API keys and browser sessions were used for, sends the mails that
    /// wait, and seals the audit records committed so far. A built gate does this by itself.
    pub async fn tend(&self) -> Result<(), AuthError> {
        self.send_mail().await?;
        self.write_down().await
    }

    /// Sends the mails that wait, to the last that can be sent now.
    pub(crate) async fn send_mail(&self) -> Result<(), AuthError> {
        self.0.outbox.send_due().await.map(drop)
    }

    /// What [`tend`](Self::tend) does with the database alone.
    pub(crate) async fn write_down(&self) -> Result<(), AuthError> {
        self.0.api_keys.flush().await?;
        self.0.sessions.flush().await?;
        self.0.audit.seal_all().await?;
        instance::follow(&self.0.env.db, &self.0.keyring).await
    }

    /// Gives each sink the audit records that were sealed since it last took some. A built gate does this each second by
    /// itself.
    pub async fn feed_sinks(&self) -> Result<(), AuthError> {
        let mut result = Ok(());
        for sink in 0..self.0.audit.sinks() {
            result = result.and(self.feed_sink(sink).await);
        }
        result
    }

    /// Gives one sink what it has not taken yet, of one tenant after the other.
    pub(crate) async fn feed_sink(&self, sink: usize) -> Result<(), AuthError> {
        let mut result = Ok(());
        for tenant in self.0.audit.tenants_behind(sink).await? {
            let slug = match self.0.tenants.get(tenant).await {
                Ok(found) => found.slug.to_string(),
                // It was deleted meanwhile.
                Err(AuthError::NotFound) => continue,
                Err(error) => return Err(error),
            };
            match self.0.audit.feed(tenant, &slug, sink).await {
                Ok(true) => {}
                // The others have their turn in a second: who does not answer is not asked for each of them.
                Ok(false) => break,
                // The chain of one tenant is broken.
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Whether requests can be served: the database answers, its schema lacks nothing, its master key was given, a
    /// signing key is open, and the gate is not [stopping](Self::begin_stop).
    pub async fn is_ready(&self) -> bool {
        let second = std::time::Duration::from_secs(1);
        !self.is_stopping() && tokio::time::timeout(second, self.check_ready()).await.is_ok_and(|ready| ready)
    }

    async fn check_ready(&self) -> bool {
        // A newer program has migrated while this one runs: steps that would break it are refused by the rules of
        // migrations, and a load balancer that took away every node would make an outage of each upgrade (S-154).
        let current = self.0.env.db.pending(MIGRATIONS).await.is_ok_and(|pending| pending.missing.is_empty());
        let can_seal = self.0.keyring.sealing().is_ok();
        current && can_seal && self.0.keys.can_sign(TenantId::DEFAULT).await.unwrap_or(false)
    }

    /// Whether [`begin_stop`](Self::begin_stop) was called.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// From now on `/readyz` answers 503, so that load balancers look elsewhere; requests are still served.
    pub fn begin_stop(&self) {
        self.0.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Finishes accepted hashing jobs and writes, then closes the database. Call it once no request is in
    /// flight; later ones are answered 503.
    pub async fn close(&self) {
        self.begin_stop();
        let pool = Arc::clone(&self.0.pool);
        // Joining threads blocks; a panic in there has nothing left to harm.
        let _ = tokio::task::spawn_blocking(move || pool.drain()).await;
        if let Err(error) = self.0.sessions.flush_all().await.and(self.write_down().await) {
            tracing::error!(%error, "what API keys and sessions were last used for is not all written down");
        }
        if let Err(error) = self.0.limits.flush().await {
            tracing::error!(%error, "what limits refused lately is not in the audit log");
        }
        // So that a command or a stopped server leaves nothing unsealed; what cannot be sealed stays as it is.
        let _ = self.0.audit.seal_rest(TenantId::DEFAULT).await;
        // A sink that does not answer gets the rest after the next start: its place is kept.
        let second = std::time::Duration::from_secs(1);
        let _ = tokio::time::timeout(second, self.feed_sinks()).await;
        self.0.env.db.close().await;
    }

    /// The database, for tests that look at tables.
    #[doc(hidden)]
    pub fn database(&self) -> &Db {
        &self.0.env.db
    }
}

impl std::fmt::Debug for Wardgate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wardgate").finish_non_exhaustive()
    }
}
