//! The flow of signing in. Proving who one is belongs to the strategies, so far the password's.

use std::sync::Arc;

use wardgate_store::Tx;

use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::limits::{self, Attempt, Limits};
use crate::features::password::{Passwords, Proof, Rehash, still_proven, write_rehash};
use crate::features::roles::{self, Scope};
use crate::features::sessions::{self, NewSession};
use crate::features::tokens::{self, FIRST_PARTY, FirstToken, Grant, TokenPair, Tokens};
use crate::kernel::email::normalize_identifier;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{SessionId, TenantId};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// The sign-in flow.
pub struct SignIn {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    limits: Arc<Limits>,
    passwords: Arc<Passwords>,
    tokens: Arc<Tokens>,
}

/// What the one transaction of a sign-in needs.
struct Opening {
    proof: Proof,
    attempt: Attempt,
    rehash: Option<Rehash>,
    session: SessionId,
    scope: Option<String>,
    now: Timestamp,
    expires_at: Timestamp,
    first: FirstToken,
    source: Source,
    audit: Arc<Audit>,
}

impl SignIn {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        passwords: Arc<Passwords>,
        tokens: Arc<Tokens>,
    ) -> Self {
        Self { env, audit, limits, passwords, tokens }
    }

    /// Signs in with a password: [`AuthError::IncorrectCredentials`] for every cause that has to do with the
    /// account, [`AuthError::InvalidScope`] if more was asked than the roles allow, [`AuthError::RateLimited`]
    /// before any password is looked at.
    pub async fn with_password(
        &self,
        tenant: TenantId,
        identifier: &str,
        password: &str,
        scope: Option<&str>,
        source: &Source,
    ) -> Result<TokenPair, AuthError> {
        let attempt = self.limits.admit_sign_in(tenant, &normalize_identifier(identifier), source).await?;
        let proven = self.passwords.prove(tenant, identifier, password, &attempt, source);
        let (proof, rehash) = proven.await?;
        let opening = self.opening(proof, attempt, rehash, scope, source);
        let refresh_token = opening.first.reveal();
        let subject = opening.proof.subject();
        let opened =
            self.env.db.write(tenant.into(), opening, |tx, opening| Box::pin(open(tx, opening))).await;
        let grant = match opened {
            Err(refusal @ (AuthError::IncorrectCredentials | AuthError::InvalidScope(_))) => {
                // The password was right: somebody who tries stolen ones this way must leave a trace.
                let entry = self.audit.refused(source, Actor::Anonymous, Action::SignIn, subject);
                self.audit.record_alone(tenant, entry).await?;
                return Err(refusal);
            }
            opened => opened?,
        };
        self.tokens.pair(tenant, &grant, &refresh_token).await
    }

    fn opening(
        &self,
        proof: Proof,
        attempt: Attempt,
        rehash: Option<Rehash>,
        scope: Option<&str>,
        source: &Source,
    ) -> Opening {
        let now = self.env.now();
        Opening {
            proof,
            attempt,
            rehash,
            session: SessionId::new(now, self.env.random()),
            scope: scope.map(str::to_owned),
            now,
            expires_at: self.tokens.first_end(now),
            first: self.tokens.first_token(),
            source: source.clone(),
            audit: Arc::clone(&self.audit),
        }
    }
}

async fn open(tx: &mut Tx, opening: &Opening) -> Result<Grant, AuthError> {
    let Opening { proof, source, audit, now, .. } = opening;
    let user = still_proven(tx, proof).await?.ok_or(AuthError::IncorrectCredentials)?;
    if let Some(asked) = &opening.scope {
        let roles = roles::of(tx, user.id.into()).await?;
        Scope::granted(asked, |permission| roles.allow(permission)).map_err(AuthError::InvalidScope)?;
    }
    limits::note_success(tx, &opening.attempt, *now).await?;
    if let Some(rehash) = &opening.rehash
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
    };
    let session = sessions::open(tx, &new, source).await?;
    audit::record(tx, &audit.done(source, Actor::User(user.id), Action::SignIn, session.id)).await?;
    tokens::issue(tx, session, &opening.first).await
}
