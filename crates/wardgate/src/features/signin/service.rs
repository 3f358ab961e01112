//! The flow of signing in. Proving who one is belongs to the strategies, so far the password's.

use std::sync::Arc;

use wardgate_crypto::Digest;
use wardgate_store::Tx;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::limits::{self, Attempt, Limits};
use crate::features::password::{Passwords, Proof, Rehash, still_proven, write_rehash};
use crate::features::roles::{self, Scope};
use crate::features::sessions::{self, BrowserSessions, EndReason, NewCookie, NewSession, Sessions};
use crate::features::tokens::{self, FIRST_PARTY, FirstToken, Grant, TokenPair, Tokens};
use crate::kernel::email::normalize_identifier;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{SessionId, TenantId};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;

/// The sign-in flow.
pub struct SignIn {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    passwords: Arc<Passwords>,
    tokens: Arc<Tokens>,
    browsers: BrowserSessions,
}

/// What came of looking at the password.
struct Proven {
    proof: Proof,
    attempt: Attempt,
    rehash: Option<Rehash>,
}

/// What the one transaction of a sign-in needs.
struct Opening {
    proven: Proven,
    session: SessionId,
    scope: Option<String>,
    now: Timestamp,
    expires_at: Timestamp,
    carrier: Carrier,
    max_per_user: u32,
    source: Source,
    audit: Arc<Audit>,
}

/// What the client holds the session by.
enum Carrier {
    /// An access and a refresh token.
    Tokens(FirstToken),
    /// A browser's cookie, and the one it takes the place of.
    Cookie(NewCookie, Option<Digest>),
}

/// What became of a sign-in.
enum Opened {
    Tokens(Box<Grant>),
    Browser,
}

impl SignIn {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        passwords: Arc<Passwords>,
        tokens: Arc<Tokens>,
        browsers: BrowserSessions,
    ) -> Self {
        Self { env, audit, limits, passwords, tokens, browsers }
    }

    /// Signs in with a password: [`AuthError::IncorrectCredentials`] for every cause that has to do with the
    /// account, [`AuthError::InvalidScope`] if more was asked than the roles allow, [`AuthError::RateLimited`]
    /// before any password is looked at.
    pub async fn with_password(
        &self,
        tenant: &CurrentTenant,
        identifier: &str,
        password: &str,
        scope: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let proven = self.prove(tenant.id, identifier, password, source).await?;
        let first = self.tokens.first_token();
        let refresh_token = first.reveal();
        let ends_at = self.tokens.first_end(self.env.now());
        let opening = self.opening(proven, scope, Carrier::Tokens(first), ends_at, source);
        match self.open(tenant.id, opening, source).await? {
            Opened::Tokens(grant) => self.tokens.pair(tenant, &grant, &refresh_token).await,
            Opened::Browser => Err(AuthError::internal("sign in", "a browser session for tokens")),
        }
    }

    /// Signs a browser in with a password, as [`with_password`](Self::with_password); gives its cookie's value.
    ///
    /// `replaces` is the value of the cookie that the browser holds so far: its session ends.
    pub async fn browser_with_password(
        &self,
        tenant: TenantId,
        identifier: &str,
        password: &str,
        replaces: Option<&str>,
        source: &Source,
    ) -> Result<Zeroizing<String>, AuthError> {
        let proven = self.prove(tenant, identifier, password, source).await?;
        let cookie = NewCookie::generate(self.env.rng.as_ref());
        let value = cookie.reveal();
        let carrier = Carrier::Cookie(cookie, replaces.and_then(Sessions::digest_of));
        let now = self.env.now();
        let opening = self.opening(proven, None, carrier, self.browsers.end_of(now, now), source);
        self.open(tenant, opening, source).await.map(|_| value)
    }

    async fn prove(
        &self,
        tenant: TenantId,
        identifier: &str,
        password: &str,
        source: &Source,
    ) -> Result<Proven, AuthError> {
        let attempt = self.limits.admit_sign_in(tenant, &normalize_identifier(identifier), source).await?;
        let (proof, rehash) = self.passwords.prove(tenant, identifier, password, &attempt, source).await?;
        Ok(Proven { proof, attempt, rehash })
    }

    async fn open(&self, tenant: TenantId, opening: Opening, source: &Source) -> Result<Opened, AuthError> {
        let subject = opening.proven.proof.subject();
        let opened =
            self.env.db.write(tenant.into(), opening, |tx, opening| Box::pin(open(tx, opening))).await;
        match opened {
            Err(refusal @ (AuthError::IncorrectCredentials | AuthError::InvalidScope(_))) => {
                // The password was right: somebody who tries stolen ones this way must leave a trace.
                let entry = self.audit.refused(source, Actor::Anonymous, Action::SignIn, subject);
                self.audit.record_alone(tenant, entry).await?;
                Err(refusal)
            }
            opened => opened,
        }
    }

    fn opening(
        &self,
        proven: Proven,
        scope: Option<&str>,
        carrier: Carrier,
        expires_at: Timestamp,
        source: &Source,
    ) -> Opening {
        let now = self.env.now();
        Opening {
            proven,
            session: SessionId::new(now, self.env.random()),
            scope: scope.map(str::to_owned),
            now,
            expires_at,
            carrier,
            max_per_user: self.browsers.max_per_user,
            source: source.clone(),
            audit: Arc::clone(&self.audit),
        }
    }
}

async fn open(tx: &mut Tx, opening: &Opening) -> Result<Opened, AuthError> {
    let Opening { proven: Proven { proof, attempt, rehash }, source, audit, now, .. } = opening;
    let user = still_proven(tx, proof).await?.ok_or(AuthError::IncorrectCredentials)?;
    if let Some(asked) = &opening.scope {
        let roles = roles::of(tx, user.id.into()).await?;
        Scope::granted(asked, |permission| roles.allow(permission)).map_err(AuthError::InvalidScope)?;
    }
    limits::note_success(tx, attempt, *now).await?;
    if let Some(rehash) = rehash
        && write_rehash(tx, user.id, rehash).await?
    {
        audit::record(tx, &audit.done(source, Actor::System, Action::PasswordRehashed, user.id)).await?;
    }
    let new = NewSession {
        id: opening.session,
        user: user.id,
        client_id: FIRST_PARTY.to_owned(),
        scope: opening.scope.clone(),
        now: *now,
        expires_at: opening.expires_at,
        cookie: match &opening.carrier {
            Carrier::Tokens(_) => None,
            Carrier::Cookie(cookie, _) => Some(cookie.digest()),
        },
        max_per_user: opening.max_per_user,
    };
    let session = sessions::open(tx, &new, source).await?;
    audit::record(tx, &audit.done(source, Actor::User(user.id), Action::SignIn, session.id)).await?;
    match &opening.carrier {
        Carrier::Tokens(first) => Ok(Opened::Tokens(Box::new(tokens::issue(tx, session, first).await?))),
        Carrier::Cookie(_, replaces) => {
            if let Some(replaces) = replaces
                && let Some(old) = sessions::find_by_cookie(tx, *replaces).await?
            {
                sessions::end(tx, old.id, *now, EndReason::SignedOut).await?;
            }
            Ok(Opened::Browser)
        }
    }
}
