//! Issues, refreshes and checks tokens.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::{OpaqueToken, SubKey};
use wardgate_store::{StoreError, Tx};
use wardgate_verify::{AccessClaims, Policy};
use zeroize::Zeroizing;

use super::model::{ExchangedToken, FIRST_PARTY, Grant, TokenPair};
use super::{refresh, store};
use crate::environment::Environment;
use crate::features::api_keys::{self, ApiKey, ApiKeys};
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::keys::{self, Keys, Verified};
use crate::features::limits::{Limits, Route};
use crate::features::organizations;
use crate::features::principals::{self, Authenticated};
use crate::features::roles;
use crate::features::sessions::{self, EndReason, Session};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{AccessTokenId, ApiKeyId, OrgId, RefreshTokenId, SessionId, TenantId};
use crate::kernel::principal::{Principal, Subject, Via};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;

/// What a refresh token's text begins with, so that secret scanners recognise it.
pub(super) const REFRESH_PREFIX: &str = "wgr";

/// Lifetimes and names in tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenSettings {
    /// `None`: each tenant's issuer.
    pub(crate) audience: Option<String>,
    pub(crate) access_ttl: Duration,
    pub(crate) refresh_idle_ttl: Duration,
    pub(crate) refresh_max_ttl: Duration,
    pub(crate) refresh_grace: Duration,
}

/// The tokens of all tenants.
pub struct Tokens {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    limits: Arc<Limits>,
    keys: Arc<Keys>,
    api_keys: Arc<ApiKeys>,
    pub(super) settings: TokenSettings,
    pub(super) successor_key: Arc<SubKey>,
}

/// The first refresh token of a family, made before the transaction that stores it.
pub(crate) struct FirstToken {
    id: RefreshTokenId,
    secret: OpaqueToken,
}

impl FirstToken {
    /// The text for the client; it exists nowhere else.
    pub(crate) fn reveal(&self) -> Zeroizing<String> {
        self.secret.reveal()
    }
}

/// Starts the session's family with `first`, and gathers what its access token says.
pub(crate) async fn issue(tx: &mut Tx, session: Session, first: &FirstToken) -> Result<Grant, AuthError> {
    store::insert(tx, first.id, session.id, first.secret.digest()).await?;
    let now = session.created_at;
    grant(tx, session, now).await
}

/// Reads roles and signing key as they are in this transaction.
pub(super) async fn grant(tx: &mut Tx, session: Session, now: Timestamp) -> Result<Grant, AuthError> {
    let roles = roles::of(tx, session.user.into()).await?;
    let org = match session.org {
        Some(org) => organizations::active(tx, org, session.user).await?.map(|org| org.id),
        None => None,
    };
    Ok(Grant { session, roles, org, kid: signing_kid(tx, now).await? })
}

async fn signing_kid(tx: &mut Tx, now: Timestamp) -> Result<String, AuthError> {
    let kid = keys::signing_kid(tx, now).await?;
    kid.ok_or_else(|| AuthError::internal("issue a token", "no signing key is open"))
}

impl Tokens {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        keys: Arc<Keys>,
        api_keys: Arc<ApiKeys>,
        settings: TokenSettings,
        successor_key: SubKey,
    ) -> Self {
        Self { env, audit, limits, keys, api_keys, settings, successor_key: Arc::new(successor_key) }
    }

    /// A fresh first token for a family about to start.
    pub(crate) fn first_token(&self) -> FirstToken {
        let id = RefreshTokenId::new(self.env.now(), self.env.random());
        FirstToken { id, secret: OpaqueToken::generate(REFRESH_PREFIX, self.env.rng.as_ref()) }
    }

    /// When a session that starts at `now` ends unless it is refreshed.
    pub(crate) fn first_end(&self, now: Timestamp) -> Timestamp {
        self.end_of(now, now)
    }

    fn audience(&self, tenant: &CurrentTenant) -> String {
        self.settings.audience.clone().unwrap_or_else(|| tenant.issuer.to_string())
    }

    pub(super) fn end_of(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let TokenSettings { refresh_idle_ttl, refresh_max_ttl, .. } = self.settings;
        super::model::session_end(created_at, now, refresh_idle_ttl, refresh_max_ttl)
    }

    /// Signs the access token of a committed grant and pairs it with its refresh token.
    pub(crate) async fn pair(
        &self,
        tenant: &CurrentTenant,
        grant: &Grant,
        refresh_token: &str,
    ) -> Result<TokenPair, AuthError> {
        let claims = self.claims(tenant, grant);
        Ok(TokenPair {
            access_token: self.keys.sign(tenant.id, &grant.kid, &claims).await?,
            refresh_token: refresh_token.to_owned(),
            token_type: "bearer",
            expires_in: claims.exp - claims.iat,
            scope: claims.scope,
        })
    }

    fn claims(&self, tenant: &CurrentTenant, grant: &Grant) -> AccessClaims {
        let session = &grant.session;
        self.claims_of(
            tenant,
            Claimed {
                subject: session.user.into(),
                via: Via::Session(session.id),
                client_id: session.client_id.clone(),
                scope: session.scope.clone(),
                roles: grant.roles.names(),
                org: grant.org,
                ends: Some(session.expires_at),
            },
        )
    }

    fn claims_of(&self, tenant: &CurrentTenant, claimed: Claimed) -> AccessClaims {
        let now = self.env.now();
        let end = now.plus(self.settings.access_ttl);
        // A verifier that works offline must not take a token past its session's or key's end.
        let end = claimed.ends.map_or(end, |ends| ends.min(end));
        AccessClaims {
            iss: tenant.issuer.to_string(),
            sub: claimed.subject.to_string(),
            aud: self.audience(tenant).into(),
            exp: end.as_seconds(),
            iat: now.as_seconds(),
            nbf: None,
            jti: AccessTokenId::new(now, self.env.random()).to_string(),
            sid: claimed.via.to_string(),
            client_id: claimed.client_id,
            scope: claimed.scope,
            roles: claimed.roles,
            tenant: tenant.slug.to_string(),
            org: claimed.org.map(|org| org.to_string()),
        }
    }

    /// Checks an access token against keys, claims and the store; revocation counts at once.
    ///
    /// From the token only `sub`, `sid` and the signature are believed: the tenant is the key's, roles and
    /// activity are the store's, and the session must be that user's and live.
    pub async fn authenticate(
        &self,
        tenant: &CurrentTenant,
        token: &str,
        source: &Source,
    ) -> Result<Authenticated, AuthError> {
        let now = self.env.now();
        let verified = self.keys.verify(tenant.id, token).await?;
        let policy = Policy::new(tenant.issuer.to_string(), self.audience(tenant));
        policy.check(&verified.claims, now.as_seconds()).map_err(|_| AuthError::InvalidCredential)?;
        let subject: Subject = verified.claims.sub.parse().map_err(|_| AuthError::InvalidCredential)?;
        let via: Via = verified.claims.sid.parse().map_err(|_| AuthError::InvalidCredential)?;
        let presented = Presented { subject, via, verified, now };
        let looked_up = self.env.db.lookup(presented.verified.tenant.into(), presented, |tx, presented| {
            Box::pin(look_up(tx, presented))
        });
        let (authenticated, api_key) = looked_up.await?;
        if let Some(key) = api_key {
            // What holds for the key holds for what it was exchanged for (S-066).
            self.api_keys.admit(tenant.id, &key, source).await.map_err(|refusal| match refusal {
                AuthError::InvalidApiKey => AuthError::InvalidCredential,
                other => other,
            })?;
        }
        Ok(authenticated)
    }

    /// An access token for whoever presents an API key, for services that know tokens only. There is no refresh token:
    /// the key itself is good for the next.
    ///
    /// It names as its scope what the key leaves of its owner's rights now, so that a verifier that works offline
    /// grants no more (S-061). It dies with the key.
    pub(crate) async fn exchange(
        &self,
        of: &CurrentTenant,
        current: &Authenticated,
        key: ApiKeyId,
        source: &Source,
    ) -> Result<ExchangedToken, AuthError> {
        let Principal { tenant, subject, via } = current.principal;
        if via != Via::ApiKey(key) {
            return Err(AuthError::NotFound);
        }
        let left = current.rights.permissions().join(" ");
        if left.is_empty() {
            // An empty scope would be taken for none, and the roles for all that counts.
            return Err(AuthError::InsufficientPermissions);
        }
        let exchanged = self.audit.done(source, subject.into(), Action::ApiKeyExchanged, key);
        let input = (key, self.env.now(), exchanged);
        let read = self.env.db.write(tenant.into(), input, |tx, (key, now, exchanged)| {
            Box::pin(async move {
                let key = api_keys::find(tx, *key).await?.filter(|key| key.is_live(*now));
                let ends = key.ok_or(AuthError::InvalidApiKey)?.expires_at;
                audit::record(tx, exchanged).await?;
                Ok::<_, AuthError>((signing_kid(tx, *now).await?, ends))
            })
        });
        let (kid, ends) = read.await?;
        let claims = self.claims_of(
            of,
            Claimed {
                subject,
                via,
                client_id: FIRST_PARTY.to_owned(),
                scope: Some(left),
                roles: current.rights.roles.names(),
                org: None,
                ends,
            },
        );
        Ok(ExchangedToken {
            access_token: self.keys.sign(tenant, &kid, &claims).await?,
            token_type: "bearer",
            expires_in: claims.exp - claims.iat,
            scope: claims.scope.unwrap_or_default(),
        })
    }

    /// Ends the session that a refresh token belongs to, whichever token of the family it is.
    ///
    /// `expected` is the session of the bearer token beside it: two sessions in one request are refused.
    async fn sign_out(
        &self,
        tenant: TenantId,
        handle: SignOutHandle,
        source: &Source,
    ) -> Result<(), AuthError> {
        let input = (handle, self.env.now(), Arc::clone(&self.audit), source.clone());
        self.env
            .db
            .write(tenant.into(), input, |tx, (handle, now, audit, source)| {
                Box::pin(async move {
                    let session = handle.session(tx).await?;
                    let live = session
                        .filter(|session| session.is_live(*now))
                        .ok_or(AuthError::InvalidCredential)?;
                    if !sessions::end(tx, live.id, *now, EndReason::SignedOut).await? {
                        return Err(AuthError::InvalidCredential);
                    }
                    let entry = audit.done(source, Actor::User(live.user), Action::SignOut, live.id);
                    Ok(audit::record(tx, &entry).await?)
                })
            })
            .await
    }
}

/// What a token is to say.
struct Claimed {
    subject: Subject,
    via: Via,
    client_id: String,
    scope: Option<String>,
    roles: Vec<String>,
    org: Option<OrgId>,
    ends: Option<Timestamp>,
}

/// What names the session to sign out of.
enum SignOutHandle {
    /// The bearer token's session.
    Session(SessionId),
    /// A refresh token, and the bearer token's session if both were sent.
    Refresh(OpaqueToken, Option<SessionId>),
}

impl SignOutHandle {
    /// From what a request carries; [`AuthError::InvalidRefreshToken`] for a malformed refresh token.
    fn new(bearer: Option<SessionId>, refresh_token: Option<&str>) -> Result<Self, AuthError> {
        match (bearer, refresh_token) {
            (session, Some(text)) => {
                let token = OpaqueToken::parse(REFRESH_PREFIX, text).ok_or(AuthError::InvalidRefreshToken)?;
                Ok(Self::Refresh(token, session))
            }
            (Some(session), None) => Ok(Self::Session(session)),
            (None, None) => Err(AuthError::MissingCredential),
        }
    }

    async fn session(&self, tx: &mut Tx) -> Result<Option<Session>, StoreError> {
        match self {
            Self::Session(id) => sessions::find(tx, *id).await,
            Self::Refresh(token, beside) => {
                let Some(known) = store::by_digest(tx, token.digest()).await? else { return Ok(None) };
                if beside.is_some_and(|session| session != known.session) {
                    return Ok(None);
                }
                sessions::find(tx, known.session).await
            }
        }
    }
}

/// What an access token says that is looked at.
struct Presented {
    subject: Subject,
    via: Via,
    verified: Arc<Verified>,
    now: Timestamp,
}

async fn look_up(tx: &mut Tx, presented: &Presented) -> Result<(Authenticated, Option<ApiKey>), AuthError> {
    let Presented { subject, via, verified, now } = presented;
    let (standing, api_key) = match via {
        Via::Session(id) => (sessions::find(tx, *id).await?.map(|session| session.standing(*now)), None),
        Via::ApiKey(id) => {
            let key = api_keys::find(tx, *id).await?;
            (key.as_ref().map(|key| key.standing(*now)), key)
        }
    };
    let key_open = keys::is_open(tx, &verified.kid).await?;
    let standing = standing.filter(|standing| key_open && standing.owner == *subject);
    Ok((principals::resolve(tx, verified.tenant, *via, standing).await?, api_key))
}

impl Tokens {
    /// Exchanges a refresh token for a new pair.
    ///
    /// A replay ends the family and is refused like any other bad token (S-039); a retry within the grace
    /// gets the same successor (S-044).
    pub(crate) async fn refresh(
        &self,
        tenant: &CurrentTenant,
        presented: &str,
        client_id: &str,
        scope: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        self.limits.admit(tenant, Route::Refresh, source).await?;
        self.limits.admit_token(tenant.id, source)?;
        let Some(token) = OpaqueToken::parse(REFRESH_PREFIX, presented) else {
            return Err(self.bad_refresh_token(tenant.id, source));
        };
        let attempt = refresh::Attempt::new(self, token, client_id, scope, source);
        let outcome = self
            .env
            .db
            .write(tenant.id.into(), attempt, |tx, attempt| Box::pin(refresh::run(tx, attempt)))
            .await?;
        match outcome {
            refresh::Outcome::Granted { grant, refresh_token } => {
                self.pair(tenant, &grant, &refresh_token).await
            }
            refresh::Outcome::Refused => Err(self.bad_refresh_token(tenant.id, source)),
            refresh::Outcome::Replayed => Err(AuthError::RefreshReused),
        }
    }
}

impl Tokens {
    /// Ends the session that the bearer token or the refresh token of a request names.
    pub(crate) async fn sign_out_with(
        &self,
        tenant: &CurrentTenant,
        bearer: Option<SessionId>,
        refresh_token: Option<&str>,
        source: &Source,
    ) -> Result<(), AuthError> {
        if refresh_token.is_none() {
            return self.sign_out(tenant.id, SignOutHandle::new(bearer, None)?, source).await;
        }
        self.limits.admit(tenant, Route::Refresh, source).await?;
        self.limits.admit_token(tenant.id, source)?;
        let ended = match SignOutHandle::new(bearer, refresh_token) {
            Ok(handle) => self.sign_out(tenant.id, handle, source).await,
            Err(refusal) => Err(refusal),
        };
        if matches!(ended, Err(AuthError::InvalidRefreshToken | AuthError::InvalidCredential)) {
            self.limits.note_bad_token(tenant.id, "refresh_token", source);
        }
        ended
    }

    fn bad_refresh_token(&self, tenant: TenantId, source: &Source) -> AuthError {
        self.limits.note_bad_token(tenant, "refresh_token", source);
        AuthError::InvalidRefreshToken
    }
}
