//! One refresh, as the transaction that it is.

use std::sync::Arc;
use std::time::Duration;

use wardgate_crypto::{OpaqueToken, SubKey};
use wardgate_store::Tx;
use zeroize::Zeroizing;

use super::model::{Consumed, Decision, Grant, RefreshToken, State, decide, session_end};
use super::service::{Tokens, grant};
use super::store;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::roles::Scope;
use crate::features::sessions::{self, EndReason, Session};
use crate::features::users;
use crate::kernel::error::AuthError;
use crate::kernel::ids::RefreshTokenId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// A presented token and all that its transaction needs; made before it, since a body awaits nothing else.
pub(super) struct Attempt {
    presented: OpaqueToken,
    client_id: String,
    scope: Option<String>,
    source: Source,
    now: Timestamp,
    grace: Duration,
    idle: Duration,
    absolute: Duration,
    successor_id: RefreshTokenId,
    nonce: [u8; 32],
    successor_key: Arc<SubKey>,
    audit: Arc<Audit>,
}

/// What came of it. A replay is an `Ok` of the transaction: returned as an error it would roll its own
/// defence back.
pub(super) enum Outcome {
    Granted { grant: Box<Grant>, refresh_token: Zeroizing<String> },
    Refused,
    Replayed,
}

impl Attempt {
    pub(super) fn new(
        tokens: &Tokens,
        presented: OpaqueToken,
        client_id: &str,
        scope: Option<&str>,
        source: &Source,
    ) -> Self {
        let now = tokens.env.now();
        Self {
            presented,
            client_id: client_id.to_owned(),
            scope: scope.map(str::to_owned),
            source: source.clone(),
            now,
            grace: tokens.settings.refresh_grace,
            idle: tokens.settings.refresh_idle_ttl,
            absolute: tokens.settings.refresh_max_ttl,
            successor_id: RefreshTokenId::new(now, tokens.env.random()),
            nonce: tokens.env.random(),
            successor_key: Arc::clone(&tokens.successor_key),
            audit: Arc::clone(&tokens.audit),
        }
    }

    fn successor(&self, nonce: &[u8; 32]) -> OpaqueToken {
        self.presented.successor(&self.successor_key, nonce)
    }

    /// A refresh may ask for no more than the family was granted (RFC 6749 §6); it narrows nothing either.
    fn check_scope(&self, session: &Session) -> Result<(), AuthError> {
        let granted = session.scope.clone().map(Scope::stored);
        let within = |permission: &str| granted.as_ref().is_some_and(|scope| scope.contains(permission));
        match self.scope.as_deref().map(|asked| Scope::granted(asked, within)) {
            Some(Err(refused)) => Err(AuthError::InvalidScope(refused)),
            _ => Ok(()),
        }
    }
}

/// Reads, decides, acts; a loser of the race for the `UPDATE` reads and decides again.
pub(super) async fn run(tx: &mut Tx, attempt: &Attempt) -> Result<Outcome, AuthError> {
    loop {
        let Some(token) = store::by_digest(tx, attempt.presented.digest()).await? else {
            return Ok(Outcome::Refused);
        };
        let Some(session) = sessions::find(tx, token.session).await? else { return Ok(Outcome::Refused) };
        let state = state(tx, &token, &session, attempt.now).await?;
        let client_matches = session.client_id == attempt.client_id;
        match decide(state, client_matches, attempt.now, attempt.grace) {
            Decision::Refused => return Ok(Outcome::Refused),
            Decision::Replay => return replay(tx, attempt, &session).await,
            Decision::Retry => return retry(tx, attempt, &token, session).await,
            Decision::Rotate => {
                if let Some(outcome) = rotate(tx, attempt, &token, session).await? {
                    return Ok(outcome);
                }
            }
        }
    }
}

async fn state(
    tx: &mut Tx,
    token: &RefreshToken,
    session: &Session,
    now: Timestamp,
) -> Result<State, AuthError> {
    let user = users::find(tx, session.user).await?;
    if !session.is_live(now) || !user.is_some_and(|user| user.is_active()) {
        return Ok(State::FamilyEnded);
    }
    Ok(match &token.consumed {
        None => State::Live,
        Some(Consumed { at, successor, .. }) => {
            let successor_live = store::unused_digest(tx, *successor).await?.is_some();
            State::Consumed { at: *at, successor_live }
        }
    })
}

/// `None` when another request consumed the token first.
async fn rotate(
    tx: &mut Tx,
    attempt: &Attempt,
    token: &RefreshToken,
    mut session: Session,
) -> Result<Option<Outcome>, AuthError> {
    attempt.check_scope(&session)?;
    session.last_seen_at = attempt.now;
    session.expires_at = session_end(session.created_at, attempt.now, attempt.idle, attempt.absolute);
    // First of all the session's row: an end that was committed meanwhile is seen here, a later one waits.
    if !sessions::touch(tx, session.id, attempt.now, session.expires_at, &attempt.source).await? {
        return Ok(Some(Outcome::Refused));
    }
    let consumed = Consumed { at: attempt.now, successor: attempt.successor_id, nonce: attempt.nonce };
    if !store::consume(tx, token.id, &consumed).await? {
        return Ok(None);
    }
    let successor = attempt.successor(&attempt.nonce);
    store::insert(tx, attempt.successor_id, session.id, successor.digest()).await?;
    let grant = Box::new(grant(tx, session, attempt.now).await?);
    Ok(Some(Outcome::Granted { grant, refresh_token: successor.reveal() }))
}

async fn retry(
    tx: &mut Tx,
    attempt: &Attempt,
    token: &RefreshToken,
    session: Session,
) -> Result<Outcome, AuthError> {
    attempt.check_scope(&session)?;
    let Some(consumed) = &token.consumed else { return Ok(Outcome::Refused) };
    let successor = attempt.successor(&consumed.nonce);
    // Under another key the same nonce gives another token: refuse, but blame nobody for it.
    if store::unused_digest(tx, consumed.successor).await? != Some(successor.digest()) {
        return Ok(Outcome::Refused);
    }
    let grant = Box::new(grant(tx, session, attempt.now).await?);
    Ok(Outcome::Granted { grant, refresh_token: successor.reveal() })
}

async fn replay(tx: &mut Tx, attempt: &Attempt, session: &Session) -> Result<Outcome, AuthError> {
    if sessions::end(tx, session.id, attempt.now, EndReason::RefreshReplayed).await? {
        let actor = Actor::Anonymous;
        let entry = attempt.audit.refused(&attempt.source, actor, Action::RefreshReplayed, session.id);
        audit::record(tx, &entry).await?;
    }
    Ok(Outcome::Replayed)
}
