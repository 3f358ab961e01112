//! The way to a provider and back.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wardgate_crypto::{Digest, Keyring, OpaqueToken, SubKey};
use wardgate_store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::accounts::{UpstreamProof, tell};
use super::connect::{Connected, Connections, Connector};
use super::model::{Flow, Freshness, MAX_AGE, ProviderSettings, ProviderView, freshness, is_name};
use super::store;
use super::ways::can_sign_in;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::identities;
use crate::features::limits::{Limits, Route};
use crate::features::outbox::{Letter, LetterKind, Outbox};
use crate::features::password::{Accounts, RegistrationMode};
use crate::features::sessions;
use crate::features::users::{self, NewUser, User, check_name};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{IdentityId, SessionId, TenantId, UserId};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::ports::{Redirection, Returned, UpstreamError, UpstreamProvider};

const STATE_PREFIX: &str = "wgf";
const BROWSER_PREFIX: &str = "wgu";

/// How long a browser may take to come back.
pub(crate) const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);

/// Sign-ins of one tenant that are under way at most; the oldest go.
const MAX_FLOWS: i64 = 10_000;

/// Rows removed in one transaction.
const PURGE_BATCH: i64 = 200;

/// Which providers the tenant `default` has by configuration, and how strangers become users.
pub(crate) struct FederationSettings {
    pub(crate) providers: Vec<ProviderSettings>,
    pub(crate) custom: Vec<(ProviderView, Arc<dyn UpstreamProvider>)>,
    pub(crate) internal_hosts: Vec<String>,
    pub(crate) registration: RegistrationMode,
    /// From which the parts of a flow that lie nowhere are made.
    pub(crate) flow_key: SubKey,
}

/// Other providers through which people sign in.
pub struct Federation {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    limits: Arc<Limits>,
    outbox: Arc<Outbox>,
    accounts: Arc<Accounts>,
    pub(super) master: Arc<Keyring>,
    key: SubKey,
    /// Those of the tenant `default` that the configuration names.
    configured: Vec<Connected>,
    pub(super) connector: Connector,
    connections: Connections,
    registration: RegistrationMode,
}

/// A sign-in that was sent to a provider.
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) location: String,
    /// What it is to keep.
    pub(crate) browser: Zeroizing<String>,
}

/// What a browser brought back.
pub(crate) struct Callback {
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
}

/// What came of it.
pub(crate) enum Finished {
    /// Somebody may sign in: with tokens, or a session and then to the page.
    SignIn(Box<UpstreamProof>, Option<String>),
    /// Somebody has linked the provider to their account.
    Linked(Option<String>),
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

/// Ends up to `limit` sign-ins of the tenant that are under way, as an older state of the database is put back; how
/// many.
pub(crate) async fn end_flows(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::end_flows(tx, limit).await
}

impl Federation {
    /// Faulty settings are all named at once.
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        outbox: Arc<Outbox>,
        accounts: Arc<Accounts>,
        master: Arc<Keyring>,
        settings: FederationSettings,
    ) -> Result<Self, Vec<String>> {
        let FederationSettings { providers, custom, internal_hosts, registration, flow_key: key } = settings;
        let connector = Connector::new(&internal_hosts, Arc::clone(&env.clock));
        let (mut configured, mut faults) = (Vec::<Connected>::new(), Vec::new());
        for settings in providers {
            let name = settings.name.clone();
            faults.extend(
                settings
                    .check()
                    .iter()
                    .map(|fault| format!("provider {name}: {} {}", fault.field, fault.detail)),
            );
            match connector.build(settings.clone()) {
                Ok(upstream) => configured.push(Connected::new(settings, upstream)),
                Err(error) => faults.push(format!("provider {name}: {error}")),
            }
        }
        configured.extend(custom.into_iter().map(|(ProviderView { name, label }, upstream)| Connected {
            name,
            label,
            issuer: None,
            is_trusted: false,
            upstream,
        }));
        configured.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in configured.windows(2).filter(|pair| pair[0].name == pair[1].name) {
            faults.push(format!("provider {}: there are two of this name", pair[0].name));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            env,
            audit,
            limits,
            outbox,
            accounts,
            master,
            key,
            configured,
            connector,
            connections: Connections::default(),
            registration,
        })
    }

    /// The providers through which people can sign in now, by name.
    pub async fn providers(&self, tenant: TenantId) -> Result<Vec<ProviderView>, AuthError> {
        let configured = self.configured_of(tenant);
        let rows = self.rows(tenant).await?.into_iter().filter(|row| row.disabled_at.is_none());
        let rows = rows.map(|row| ProviderView { name: row.settings.name, label: row.settings.label });
        // A name that both have is the configuration's.
        let rows = rows.filter(|row| configured.iter().all(|each| each.name != row.name));
        let configured = configured.iter();
        let configured =
            configured.map(|each| ProviderView { name: each.name.clone(), label: each.label.clone() });
        let mut all: Vec<ProviderView> = rows.chain(configured).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    pub(super) fn configured_of(&self, tenant: TenantId) -> &[Connected] {
        if tenant == TenantId::DEFAULT { &self.configured } else { &[] }
    }

    /// The provider, if one can sign in through it.
    async fn connected(&self, tenant: TenantId, name: &str) -> Result<Connected, AuthError> {
        if let Some(found) = self.configured_of(tenant).iter().find(|each| each.name == name) {
            return Ok(found.clone());
        }
        if !is_name(name) {
            return Err(AuthError::NotFound);
        }
        let row = self.env.db.lookup(tenant.into(), name.to_owned(), |tx, name| {
            Box::pin(async move { Ok::<_, AuthError>(store::by_name(tx, name).await?) })
        });
        let row = row.await?.filter(|row| row.disabled_at.is_none()).ok_or(AuthError::NotFound)?;
        self.connections.get(tenant, row, |row| {
            let settings = self.unsealed(tenant, row)?;
            self.connector.build(settings).map_err(|error| failed(name, &error))
        })
    }

    /// Sends a browser to a provider, for what the flow says.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for a provider that is not there or off; [`AuthError::UpstreamFailed`].
    pub(crate) async fn begin(
        &self,
        tenant: &CurrentTenant,
        name: &str,
        flow: Flow,
        source: &Source,
    ) -> Result<Begun, AuthError> {
        self.limits.admit(tenant, Route::Upstream, source).await?;
        let provider = self.connected(tenant.id, name).await?;
        let state = OpaqueToken::generate(STATE_PREFIX, self.env.rng.as_ref());
        let browser = OpaqueToken::generate(BROWSER_PREFIX, self.env.rng.as_ref());
        let text = state.reveal();
        let verifier = self.derived("verifier", &text);
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes());
        let with = Redirection {
            redirect_uri: &redirect_uri(tenant, name),
            state: &text,
            nonce: &self.derived("nonce", &text),
            code_challenge: &challenge,
            max_age: flow.fresh.then_some(MAX_AGE),
        };
        let location = provider.upstream.redirect(with).await.map_err(|error| failed(name, &error))?;
        let ends_at = self.env.now().plus(FLOW_LIFE);
        let input = (state.digest(), browser.digest(), name.to_owned(), flow, ends_at);
        let begun =
            self.env.db.write(tenant.id.into(), input, |tx, (state, browser, name, flow, ends_at)| {
                Box::pin(
                    async move { store::begin(tx, *state, *browser, name, flow, *ends_at, MAX_FLOWS).await },
                )
            });
        begun.await?;
        Ok(Begun { location, browser: browser.reveal() })
    }

    /// Takes a browser that comes back. `held` is what it has kept; without it, or with another's, what it brings is
    /// nobody's (S-067).
    ///
    /// # Errors
    /// [`AuthError::InvalidState`] for whatever does not belong to a sign-in of this browser through this provider;
    /// [`AuthError::UpstreamDenied`], [`AuthError::UpstreamFailed`], [`AuthError::LinkingRefused`];
    /// [`AuthError::UpstreamStale`] where a fresh proof was asked for and none came;
    /// [`AuthError::NotFound`] for a provider that is gone or off meanwhile (S-072).
    pub(crate) async fn finish(
        &self,
        tenant: &CurrentTenant,
        name: &str,
        callback: Callback,
        held: Option<&str>,
        source: &Source,
    ) -> Result<Finished, AuthError> {
        let finished = self.come_back(tenant, name, callback, held, source).await;
        match &finished {
            Err(AuthError::InvalidState) => self.limits.note_bad_token(tenant.id, "upstream_state", source),
            Err(
                AuthError::UpstreamDenied
                | AuthError::UpstreamFailed
                | AuthError::UpstreamStale
                | AuthError::LinkingRefused,
            ) => {
                let target = format!("provider:{name}");
                let entry = self.audit.refused(source, Actor::Anonymous, Action::SignIn, target);
                self.audit.record_alone(tenant.id, entry).await?;
            }
            _ => {}
        }
        finished
    }

    async fn come_back(
        &self,
        tenant: &CurrentTenant,
        name: &str,
        callback: Callback,
        held: Option<&str>,
        source: &Source,
    ) -> Result<Finished, AuthError> {
        let provider = self.connected(tenant.id, name).await?;
        self.limits.admit_token(tenant.id, source)?;
        let state = OpaqueToken::parse(STATE_PREFIX, &callback.state).ok_or(AuthError::InvalidState)?;
        let browser = held.and_then(|held| OpaqueToken::parse(BROWSER_PREFIX, held));
        let browser = browser.ok_or(AuthError::InvalidState)?;
        let flow = self.take(tenant.id, name, state.digest(), browser.digest()).await?;
        if let Some(error) = &callback.error {
            return Err(refusal(name, error));
        }
        let text = state.reveal();
        let returned = Returned {
            redirect_uri: &redirect_uri(tenant, name),
            nonce: &self.derived("nonce", &text),
            code_verifier: &self.derived("verifier", &text),
            code: callback.code.as_deref().ok_or(AuthError::InvalidState)?,
            issuer: callback.issuer.as_deref(),
        };
        let identity = provider.upstream.identify(returned).await.map_err(|error| failed(name, &error))?;
        let now = self.env.now();
        let tells = provider.upstream.tells_when();
        let proven_at = match freshness(flow.fresh, tells, identity.authenticated_at, now) {
            Freshness::Proven(at) => Some(at),
            Freshness::Unknown => None,
            Freshness::Stale => return Err(AuthError::UpstreamStale),
        };
        let email_verified = identity.email_verified && provider.is_trusted;
        let email: Option<Email> = identity.email.as_deref().and_then(|text| text.parse().ok());
        let account = match &email {
            Some(email) => {
                let name = identity.name.clone().filter(|name| check_name(name).is_ok());
                Some(
                    self.accounts
                        .prepare_linked(NewUser { email: email.clone(), name, email_verified }, source)?,
                )
            }
            None => None,
        };
        let is_open = tenant.registration_open.unwrap_or(self.registration != RegistrationMode::Closed);
        let proof = UpstreamProof {
            provider: name.to_owned(),
            identity,
            email,
            email_verified,
            is_open,
            verified_only: self.registration == RegistrationMode::Verified,
            account,
            link: IdentityId::new(now, self.env.random()),
            notice: self.notice(tenant, LetterKind::IdentityLinked(provider.label), name, source)?,
            audit: Arc::clone(&self.audit),
            source: source.clone(),
            now,
            proven_at,
        };
        match flow.linking {
            None => Ok(Finished::SignIn(Box::new(proof), flow.next)),
            Some((user, session)) => {
                self.link(tenant.id, user, session, proof).await?;
                Ok(Finished::Linked(flow.next))
            }
        }
    }

    async fn take(
        &self,
        tenant: TenantId,
        name: &str,
        state: Digest,
        browser: Digest,
    ) -> Result<Flow, AuthError> {
        let input = (state, browser, name.to_owned(), self.env.now());
        let taken = self.env.db.write(tenant.into(), input, |tx, (state, browser, name, now)| {
            Box::pin(async move {
                store::take(tx, *state, *browser, name, *now).await?.ok_or(AuthError::InvalidState)
            })
        });
        taken.await
    }

    /// Links the account of whoever began this, if the session in which they did is still theirs.
    async fn link(
        &self,
        tenant: TenantId,
        user: UserId,
        session: SessionId,
        proof: UpstreamProof,
    ) -> Result<(), AuthError> {
        let linked =
            self.env.db.write(tenant.into(), (user, session, proof), |tx, (user, session, proof)| {
                Box::pin(async move {
                    users::lock(tx, *user).await?;
                    let session = sessions::find(tx, *session).await?;
                    let session =
                        session.filter(|session| session.user == *user && session.is_live(proof.now));
                    // Whoever is in by an address alone makes no link that is worth more than that.
                    let by_address = session.ok_or(AuthError::InvalidState)?.by_address;
                    let owner = users::find(tx, *user).await?.filter(User::is_active);
                    let owner = owner.ok_or(AuthError::InvalidState)?;
                    let (issuer, subject) = (&proof.identity.issuer, &proof.identity.subject);
                    match identities::find(tx, issuer, subject).await? {
                        Some(link) if link.user != *user => Err(AuthError::LinkingRefused),
                        Some(_) if by_address => Ok(()),
                        Some(link) => proof.confirm(tx, &owner, link.id).await,
                        None => proof.add_to(tx, &owner, by_address).await,
                    }
                })
            });
        linked.await
    }

    /// Removes one of the user's links, unless it is the last way in: a password or a link through a provider that is
    /// on must remain.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for another's or an invented one; [`AuthError::LastCredential`].
    pub async fn unlink(
        &self,
        tenant: &CurrentTenant,
        user: UserId,
        id: IdentityId,
        source: &Source,
    ) -> Result<(), AuthError> {
        let ways = self.configured_ways(tenant.id);
        let notice = self.notice(tenant, LetterKind::IdentityUnlinked, id, source)?;
        let entry = self.audit.done(source, Actor::User(user), Action::IdentityUnlinked, id);
        let input = (user, id, ways, notice, entry);
        let unlinked = self.env.db.write(tenant.id.into(), input, |tx, (user, id, ways, notice, entry)| {
            Box::pin(async move {
                users::lock(tx, *user).await?;
                let owner = users::find(tx, *user).await?.ok_or(AuthError::NotFound)?;
                if !identities::remove(tx, *user, *id).await? {
                    return Err(AuthError::NotFound);
                }
                if !can_sign_in(tx, *user, ways).await? {
                    return Err(AuthError::LastCredential);
                }
                tell(tx, notice.as_ref(), &owner).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        unlinked.await
    }

    /// A mail to the owner of an account, where mail is sent.
    fn notice(
        &self,
        tenant: &CurrentTenant,
        kind: LetterKind,
        target: impl std::fmt::Display,
        source: &Source,
    ) -> Result<Option<Letter>, AuthError> {
        let letter = || self.outbox.letter(tenant, kind, target, None, source.language);
        self.outbox.is_on().then(letter).transpose()
    }

    /// Removes what never came back, a few a transaction.
    pub(crate) async fn purge(&self) -> Result<(), StoreError> {
        let now = self.env.now();
        while self
            .env
            .db
            .write_global(now, |tx, now| Box::pin(async move { store::purge(tx, *now, PURGE_BATCH).await }))
            .await?
            > 0
        {}
        Ok(())
    }

    pub(super) async fn rows(&self, tenant: TenantId) -> Result<Vec<store::ProviderRow>, AuthError> {
        let rows = self.env.db.read(tenant.into(), (), |tx, ()| {
            Box::pin(async move { Ok::<_, AuthError>(store::list(tx).await?) })
        });
        rows.await
    }

    /// 256 bits that only this sign-in has, and whoever holds the key: they need to lie nowhere (S-070).
    fn derived(&self, what: &str, state: &str) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.key.hmac(&[what.as_bytes(), state.as_bytes()])))
    }
}

/// Where browsers come back to from this provider, and from no other (S-071): never taken from a request.
pub(crate) fn redirect_uri(tenant: &CurrentTenant, name: &str) -> String {
    format!("{}/auth/callback/{name}", tenant.issuer.trim_end_matches('/'))
}

/// What went wrong is told to the log, not to whoever happens to stand before it.
fn failed(name: &str, error: &UpstreamError) -> AuthError {
    match error {
        UpstreamError::MixedUp => {
            tracing::warn!(provider = name, %error, "a sign-in through a provider was refused");
            AuthError::InvalidState
        }
        UpstreamError::Failed(_) => {
            tracing::warn!(provider = name, %error, "a provider failed");
            AuthError::UpstreamFailed
        }
    }
}

/// What an error in the answer means (RFC 6749 section 4.1.2.1; the second is Apple's).
fn refusal(name: &str, error: &str) -> AuthError {
    match error {
        "access_denied"
        | "user_cancelled_authorize"
        | "login_required"
        | "consent_required"
        | "interaction_required" => AuthError::UpstreamDenied,
        error => {
            // A stranger may have written it.
            let plain: String =
                error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
            tracing::warn!(provider = name, error = plain, "a provider answered with an error");
            AuthError::UpstreamFailed
        }
    }
}
