//! Opens, finds, lists and ends sessions.

use std::sync::Arc;

use uuid::Uuid;
use wardgate_crypto::Digest;
use wardgate_store::{StoreError, Tx};

use super::browser::{BrowserSessions, Sightings};
use super::model::{EndReason, Session};
use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::limits::Limits;
use crate::features::organizations;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{OrgId, SessionId, TenantId, UserId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::principal::Principal;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// Sessions removed in one transaction; each takes up to some hundred consumed tokens along, and no body may
/// keep the writer longer than its neighbours can wait.
const PURGE_BATCH: i64 = 20;

/// When an owner proved who they are of whom nobody knows when: never lately.
const LONG_AGO: Timestamp = Timestamp::from_millis(0);

/// What a new session is made of.
pub(crate) struct NewSession {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) client_id: String,
    pub(crate) scope: Option<String>,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// When its owner proved who they are; `None` where nobody knows, and nothing is opened that asks for a fresh proof.
    pub(crate) proven_at: Option<Timestamp>,
    /// Whether it is their account because of an address alone that a provider named.
    pub(crate) by_address: bool,
    /// For a browser session: the digest of its cookie's value.
    pub(crate) cookie: Option<Digest>,
    /// How many sessions the user has at most, this one among them.
    pub(crate) max_per_user: u32,
}

/// Opens a session from `source`.
pub(crate) async fn open(tx: &mut Tx, new: &NewSession, source: &Source) -> Result<Session, StoreError> {
    let session = Session {
        id: new.id,
        user: new.user,
        client_id: new.client_id.clone(),
        scope: new.scope.clone(),
        created_at: new.now,
        last_seen_at: new.now,
        expires_at: new.expires_at,
        ended_at: None,
        proven_at: new.proven_at.unwrap_or(LONG_AGO),
        by_address: new.by_address,
        org: None,
        end_reason: None,
        address: source.address_text(),
        user_agent: source.user_agent.clone(),
    };
    for id in store::beyond(tx, new.user, new.now, new.max_per_user.saturating_sub(1)).await? {
        end(tx, id, new.now, EndReason::TooMany).await?;
    }
    store::insert(tx, &session, new.cookie).await?;
    Ok(session)
}

/// The session that a cookie's value of this digest opens, live or not.
pub(crate) async fn find_by_cookie(tx: &mut Tx, digest: Digest) -> Result<Option<Session>, StoreError> {
    store::by_cookie(tx, digest).await
}

/// The session, live or not.
pub(crate) async fn find(tx: &mut Tx, id: SessionId) -> Result<Option<Session>, StoreError> {
    store::by_id(tx, id).await
}

/// Notes that the session was used just now, and from where, and moves its end to `expires_at`.
///
/// `false` means that it was ended meanwhile: whatever the caller read of it is no longer so.
pub(crate) async fn touch(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
    source: &Source,
) -> Result<bool, StoreError> {
    let address = source.address_text();
    store::touch(tx, id, now, expires_at, address.as_deref(), source.user_agent.as_deref()).await
}

/// Notes that the owner proved with their password who they are just now; `false` if the session has ended. A cookie that somebody
/// copied before is worth nothing afterwards: a browser gets another (S-049).
pub(crate) async fn prove(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    cookie: Option<Digest>,
) -> Result<bool, StoreError> {
    if let Some(cookie) = cookie {
        store::set_cookie(tx, id, cookie).await?;
    }
    store::prove(tx, id, now).await
}

/// Ends the session, its refresh family and its access tokens; says whether this call did it.
pub(crate) async fn end(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    reason: EndReason,
) -> Result<bool, StoreError> {
    store::end(tx, id, now, reason.as_str()).await
}

/// Ends every session of the user but `keep`; how many.
pub(crate) async fn end_all_of(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    reason: EndReason,
    keep: Option<SessionId>,
) -> Result<u64, StoreError> {
    let keep = keep.unwrap_or(SessionId::from_uuid(Uuid::nil()));
    store::end_all_of(tx, user, now, reason.as_str(), keep).await
}

/// Ends every session of the tenant, as an older state of the database is put back; how many.
pub(crate) async fn end_every(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    store::end_every(tx, now, EndReason::Restored.as_str()).await
}

/// Ends those of the user's sessions that must not be worth more as their owner may do more: a cookie could have been
/// planted or copied before (S-049), and whoever was in by an address alone may be whoever runs the provider. Tokens
/// of other sign-ins go on.
pub(crate) async fn end_as_rights_rise(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
    store::end_unproven_of(tx, user, now, EndReason::RightsRose.as_str()).await
}

/// Removes sessions whose time ended before `before`, a few a transaction.
pub(crate) async fn purge(env: &Environment, before: Timestamp) -> Result<(), StoreError> {
    loop {
        let removed = env
            .db
            .write_global(before, |tx, before| {
                Box::pin(async move { store::purge(tx, *before, PURGE_BATCH).await })
            })
            .await?;
        if removed == 0 {
            return Ok(());
        }
    }
}

/// The sessions of all users.
pub struct Sessions {
    pub(super) env: Arc<Environment>,
    audit: Arc<Audit>,
    pub(super) limits: Arc<Limits>,
    pub(super) settings: BrowserSessions,
    pub(super) sightings: Sightings,
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

impl Sessions {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        settings: BrowserSessions,
    ) -> Self {
        Self { env, audit, limits, settings, sightings: Sightings::default() }
    }

    /// A page of the user's live sessions, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        user: UserId,
        page: PageRequest,
    ) -> Result<(Vec<Session>, Option<Position>), AuthError> {
        let now = self.env.now();
        let rows = self
            .env
            .db
            .read(tenant.into(), (user, page, now), |tx, (user, page, now)| {
                Box::pin(async move {
                    Ok::<_, AuthError>(store::list_live(tx, *user, *now, page.start(), page.fetch()).await?)
                })
            })
            .await?;
        Ok(page.split(rows, Session::position))
    }

    /// Says which organization the principal's session acts in.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for one that the user does not belong to; [`AuthError::InsufficientPermissions`] for an API
    /// key, which has no session.
    pub(crate) async fn act_in(
        &self,
        principal: &Principal,
        user: UserId,
        org: Option<OrgId>,
        source: &Source,
    ) -> Result<(), AuthError> {
        let session = principal.session().ok_or(AuthError::InsufficientPermissions)?;
        let actor = Actor::User(user);
        let entry = match org {
            Some(org) => self.audit.done(source, actor, Action::OrganizationActivated, org),
            None => self.audit.done(source, actor, Action::OrganizationDeactivated, session),
        };
        let input = (session, user, org, entry);
        let acted = self.env.db.write(principal.tenant.into(), input, |tx, (session, user, org, entry)| {
            Box::pin(async move {
                if let Some(org) = org {
                    organizations::active(tx, *org, *user).await?.ok_or(AuthError::NotFound)?;
                }
                if !store::act_in(tx, *session, *org).await? {
                    return Err(AuthError::InvalidCredential);
                }
                Ok(audit::record(tx, entry).await?)
            })
        });
        acted.await
    }

    /// Ends one of the user's own sessions; [`AuthError::NotFound`] for another's, an ended or an invented one,
    /// all alike.
    pub async fn end_own(
        &self,
        tenant: TenantId,
        owner: UserId,
        id: SessionId,
        source: &Source,
    ) -> Result<(), AuthError> {
        let now = self.env.now();
        let entry = self.audit.done(source, Actor::User(owner), Action::SignOut, id);
        let ended =
            self.env.db.write(tenant.into(), (owner, id, now, entry), |tx, (owner, id, now, entry)| {
                Box::pin(async move {
                    let session = store::by_id(tx, *id).await?;
                    if !session.is_some_and(|session| session.user == *owner && session.is_live(*now)) {
                        return Err(AuthError::NotFound);
                    }
                    if !end(tx, *id, *now, EndReason::SignedOut).await? {
                        return Err(AuthError::NotFound);
                    }
                    Ok(audit::record(tx, entry).await?)
                })
            });
        ended.await
    }
}
