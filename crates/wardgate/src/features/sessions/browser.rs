//! Browser sessions: a session whose cookie is its whole credential.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wardgate_crypto::OpaqueToken;
use wardgate_store::StoreError;
use zeroize::Zeroizing;

use super::model::Session;
use super::service::{Sessions, find_by_cookie};
use super::store;
use crate::features::principals::{self, Authenticated};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{SessionId, TenantId};
use crate::kernel::principal::Via;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// What a cookie's value begins with, so that secret scanners recognise it.
const PREFIX: &str = "wgc";

/// A session's last use is written down so long after the one before, so that one that is busy costs a write a minute.
/// It is written in any case, and long before an idle end that it moves.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Sessions written in one transaction.
const FLUSH_BATCH: usize = 200;

/// How long browser sessions live, and how many a user has.
#[derive(Debug, Clone)]
pub struct BrowserSessions {
    /// How long one lives without a request; 24 hours by default.
    pub idle_ttl: Duration,
    /// How long one lives at most; 30 days by default.
    pub max_ttl: Duration,
    /// How many sessions of any kind a user has; the one that was seen longest ago ends for a new one. 100 by default.
    pub max_per_user: u32,
}

impl Default for BrowserSessions {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { idle_ttl: day, max_ttl: 30 * day, max_per_user: 100 }
    }
}

/// The value of a new cookie, made before the transaction that stores its digest (S-049).
#[derive(Debug, Clone)]
pub(crate) struct NewCookie(OpaqueToken);

impl NewCookie {
    pub(crate) fn generate(rng: &dyn crate::ports::Rng) -> Self {
        Self(OpaqueToken::generate(PREFIX, rng))
    }

    pub(crate) fn digest(&self) -> wardgate_crypto::Digest {
        self.0.digest()
    }

    /// The value for the browser; it exists nowhere else.
    pub(crate) fn reveal(&self) -> Zeroizing<String> {
        self.0.reveal()
    }
}

/// The last use of a session, which is not in the table yet.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    at: Timestamp,
    /// When it is to be written down.
    due_at: Timestamp,
    expires_at: Timestamp,
    source: Source,
}

/// The last use of each session that was used since it was written down.
#[derive(Default)]
pub(super) struct Sightings(Mutex<HashMap<(TenantId, SessionId), Seen>>);

impl Sightings {
    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, SessionId), Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes those that `is_wanted`, tenant by tenant.
    fn take(&self, is_wanted: impl Fn(&Seen) -> bool) -> Vec<((TenantId, SessionId), Seen)> {
        let mut taken: Vec<_> = self.lock().extract_if(|_, seen| is_wanted(seen)).collect();
        taken.sort_unstable_by_key(|(of, _)| *of);
        taken
    }
}

impl BrowserSessions {
    /// How long after the last use that was written down the next is.
    fn seen_every(&self) -> Duration {
        SEEN_EVERY.min(self.idle_ttl / 2)
    }

    /// When a session that is used at `now` ends unless it is used again.
    pub(crate) fn end_of(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        now.plus(self.idle_ttl).min(created_at.plus(self.max_ttl))
    }
}

impl Sessions {
    /// Checks the value of a session's cookie against the store; its idle end moves.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredential`]; [`AuthError::InactiveUser`] for a session that is good but for its user.
    pub async fn authenticate(
        &self,
        tenant: TenantId,
        cookie: &str,
        source: &Source,
    ) -> Result<Authenticated, AuthError> {
        self.limits.admit_token(tenant, source)?;
        let looked_up = match OpaqueToken::parse(PREFIX, cookie) {
            Some(token) => self.look_up(tenant, token).await,
            None => Err(AuthError::InvalidCredential),
        };
        match looked_up {
            Ok((session, authenticated)) => {
                self.note(tenant, &session, source);
                Ok(authenticated)
            }
            Err(error) => {
                if matches!(error, AuthError::InvalidCredential) {
                    self.limits.note_bad_token(tenant, "session", source);
                }
                Err(error)
            }
        }
    }

    async fn look_up(
        &self,
        tenant: TenantId,
        token: OpaqueToken,
    ) -> Result<(Session, Authenticated), AuthError> {
        let input = (tenant, token.digest(), self.env.now());
        let found = self.env.db.lookup(tenant.into(), input, |tx, (tenant, digest, now)| {
            Box::pin(async move {
                let session = find_by_cookie(tx, *digest).await?;
                let nobody = SessionId::from_uuid(uuid::Uuid::nil());
                let via = Via::Session(session.as_ref().map_or(nobody, |session| session.id));
                let standing = session.clone().map(|session| session.standing(*now));
                let authenticated = principals::resolve(tx, *tenant, via, standing).await?;
                let session = session.ok_or(AuthError::InvalidCredential)?;
                Ok((session, authenticated))
            })
        });
        found.await
    }

    /// The value of a presented cookie, if it is one of ours; whether it opens anything is not looked at.
    pub(crate) fn digest_of(cookie: &str) -> Option<wardgate_crypto::Digest> {
        OpaqueToken::parse(PREFIX, cookie).map(|token| token.digest())
    }

    fn note(&self, tenant: TenantId, session: &Session, source: &Source) {
        let now = self.env.now();
        let expires_at = self.settings.end_of(session.created_at, now);
        let due_at = session.last_seen_at.plus(self.settings.seen_every());
        let seen = Seen { at: now, due_at, expires_at, source: source.clone() };
        self.sightings.lock().insert((tenant, session.id), seen);
    }

    /// Writes down which sessions were seen, as far as it is due. What cannot be written is lost: the next request notes
    /// it again.
    pub(crate) async fn flush(&self) -> Result<(), AuthError> {
        let now = self.env.now();
        self.write_down(self.sightings.take(|seen| seen.due_at <= now)).await
    }

    /// Writes everything down, as when the process ends.
    pub(crate) async fn flush_all(&self) -> Result<(), AuthError> {
        self.write_down(self.sightings.take(|_| true)).await
    }

    async fn write_down(&self, mut seen: Vec<((TenantId, SessionId), Seen)>) -> Result<(), AuthError> {
        while !seen.is_empty() {
            let tenant = seen[0].0.0;
            let same = seen.iter().take(FLUSH_BATCH).take_while(|((of, _), _)| *of == tenant).count();
            let batch: Vec<_> = seen.drain(..same).collect();
            let written = self.env.db.write(tenant.into(), batch, |tx, batch| {
                Box::pin(async move {
                    for ((_, id), Seen { at, expires_at, source, .. }) in batch {
                        let (address, agent) = (source.address_text(), source.user_agent.as_deref());
                        store::see(tx, *id, *at, *expires_at, address.as_deref(), agent).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            });
            written.await?;
        }
        Ok(())
    }
}
