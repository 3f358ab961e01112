//! SQL of `sessions`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::Session;
use crate::columns::StoredDigest;
use crate::kernel::ids::{OrgId, SessionId, UserId};
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

const FORGET: Sql = sql!(
    "DELETE FROM sessions WHERE tenant_id = $1 AND id IN (SELECT id FROM sessions WHERE tenant_id = $1 LIMIT $2)"
);
const BY_ID: Sql = sql!(
    "SELECT tenant_id, id, user_id, client_id, scope, created_at, last_seen_at, expires_at, ended_at, end_reason, address, user_agent, proven_at, org_id, by_address \
     FROM sessions WHERE tenant_id = $1 AND id = $2"
);
const BY_COOKIE: Sql = sql!(
    "SELECT tenant_id, id, user_id, client_id, scope, created_at, last_seen_at, expires_at, ended_at, end_reason, address, user_agent, proven_at, org_id, by_address \
     FROM sessions WHERE tenant_id = $1 AND cookie_digest = $2"
);
const BEYOND: Sql = sql!(
    "SELECT tenant_id, id FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 \
     ORDER BY last_seen_at DESC, id DESC LIMIT 10 OFFSET $4"
);
const SET_COOKIE: Sql = sql!(
    "UPDATE sessions SET cookie_digest = $3 WHERE tenant_id = $1 AND id = $2 AND cookie_digest IS NOT NULL"
);
const LIST_LIVE: Sql = sql!(
    "SELECT tenant_id, id, user_id, client_id, scope, created_at, last_seen_at, expires_at, ended_at, end_reason, address, user_agent, proven_at, org_id, by_address \
     FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3 \
     AND (created_at, id) < ($4, $5) ORDER BY created_at DESC, id DESC LIMIT $6"
);
const INSERT: Sql = sql!(
    "INSERT INTO sessions (tenant_id, id, user_id, client_id, scope, created_at, last_seen_at, expires_at, address, user_agent, proven_at, cookie_digest, by_address) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
);
const TOUCH: Sql = sql!(
    "UPDATE sessions SET last_seen_at = $3, expires_at = $4, address = $5, user_agent = $6 \
     WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL"
);
const SEE: Sql = sql!(
    "UPDATE sessions SET last_seen_at = $3, expires_at = $4, address = $5, user_agent = $6 \
     WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND last_seen_at < $3"
);
const ACT_IN: Sql =
    sql!("UPDATE sessions SET org_id = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL");
const PROVE: Sql = sql!(
    "UPDATE sessions SET proven_at = $3, by_address = 0 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL"
);
const END: Sql = sql!(
    "UPDATE sessions SET ended_at = $3, end_reason = $4 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL"
);
const END_ALL_OF: Sql = sql!(
    "UPDATE sessions SET ended_at = $3, end_reason = $4 \
     WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND id <> $5"
);
const END_EVERY: Sql =
    sql!("UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE tenant_id = $1 AND ended_at IS NULL");
const END_UNPROVEN_OF: Sql = sql!(
    "UPDATE sessions SET ended_at = $3, end_reason = $4 \
     WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL \
     AND (cookie_digest IS NOT NULL OR by_address = 1)"
);
const PURGE: GlobalSql = global_sql!(
    "DELETE FROM sessions WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM sessions WHERE expires_at < $1 LIMIT $2)"
);

impl FromRow for Session {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            user: row.get(1)?,
            client_id: row.get(2)?,
            scope: row.get(3)?,
            created_at: row.get(4)?,
            last_seen_at: row.get(5)?,
            expires_at: row.get(6)?,
            ended_at: row.get(7)?,
            end_reason: row.get(8)?,
            address: row.get(9)?,
            user_agent: row.get(10)?,
            // Sessions from before step-up existed were proven when they began.
            proven_at: row.get::<Option<Timestamp>>(11)?.unwrap_or(row.get(4)?),
            org: row.get(12)?,
            by_address: row.get(13)?,
        })
    }
}

pub(super) async fn by_id(tx: &mut Tx, id: SessionId) -> Result<Option<Session>, StoreError> {
    tx.opt(BY_ID, &params![id]).await
}

/// The user's live sessions, newest first, those after `start` in that order.
pub(super) async fn list_live(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    start: Position,
    limit: i64,
) -> Result<Vec<Session>, StoreError> {
    tx.all(LIST_LIVE, &params![user, now, start.at, start.id, limit]).await
}

pub(super) async fn by_cookie(tx: &mut Tx, digest: Digest) -> Result<Option<Session>, StoreError> {
    tx.opt(BY_COOKIE, &params![StoredDigest(digest)]).await
}

/// The user's live sessions but for the `kept` that were seen last; some of them, if they are many.
pub(super) async fn beyond(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    kept: u32,
) -> Result<Vec<SessionId>, StoreError> {
    let rows: Vec<(SessionId,)> = tx.all(BEYOND, &params![user, now, kept]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Gives a browser session another cookie; leaves one that has none as it is.
pub(super) async fn set_cookie(tx: &mut Tx, id: SessionId, digest: Digest) -> Result<(), StoreError> {
    tx.exec(SET_COOKIE, &params![id, StoredDigest(digest)]).await.map(drop)
}

pub(super) async fn insert(tx: &mut Tx, session: &Session, cookie: Option<Digest>) -> Result<(), StoreError> {
    let cookie = cookie.map(StoredDigest);
    let row = params![
        session.id,
        session.user,
        session.client_id,
        session.scope,
        session.created_at,
        session.last_seen_at,
        session.expires_at,
        session.address,
        session.user_agent,
        session.proven_at,
        cookie,
        session.by_address
    ];
    tx.exec(INSERT, &row).await.map(drop)
}

/// `false` if the session has ended meanwhile; else its row is this transaction's until it ends.
pub(super) async fn touch(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
    address: Option<&str>,
    user_agent: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(tx.exec(TOUCH, &params![id, now, expires_at, address, user_agent]).await? == 1)
}

/// Notes a use, unless a later one is noted already: nodes write down what they saw when they come to it.
pub(super) async fn see(
    tx: &mut Tx,
    id: SessionId,
    at: Timestamp,
    expires_at: Timestamp,
    address: Option<&str>,
    user_agent: Option<&str>,
) -> Result<(), StoreError> {
    tx.exec(SEE, &params![id, at, expires_at, address, user_agent]).await.map(drop)
}

/// `false` if the session has ended.
pub(super) async fn act_in(tx: &mut Tx, id: SessionId, org: Option<OrgId>) -> Result<bool, StoreError> {
    Ok(tx.exec(ACT_IN, &params![id, org]).await? == 1)
}

/// `false` if the session has ended.
pub(super) async fn prove(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(PROVE, &params![id, now]).await? == 1)
}

/// Says whether this call did it.
pub(super) async fn end(
    tx: &mut Tx,
    id: SessionId,
    now: Timestamp,
    reason: &str,
) -> Result<bool, StoreError> {
    Ok(tx.exec(END, &params![id, now, reason]).await? == 1)
}

/// Ends all but `keep`; how many.
pub(super) async fn end_all_of(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    reason: &str,
    keep: SessionId,
) -> Result<u64, StoreError> {
    tx.exec(END_ALL_OF, &params![user, now, reason, keep]).await
}

/// Ends those that a cookie opens, and those by an address; how many.
pub(super) async fn end_unproven_of(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    reason: &str,
) -> Result<u64, StoreError> {
    tx.exec(END_UNPROVEN_OF, &params![user, now, reason]).await
}

/// Removes up to `limit` sessions, with their refresh tokens, that ended by time before `before`; how many.
pub(super) async fn purge(tx: &mut GlobalTx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.exec(PURGE, &params![before, limit]).await
}

/// Removes up to `limit` rows of the tenant, as when it goes, with their refresh tokens; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}

/// Ends every session of the tenant that has not ended; how many.
pub(super) async fn end_every(tx: &mut Tx, now: Timestamp, reason: &str) -> Result<u64, StoreError> {
    tx.exec(END_EVERY, &params![now, reason]).await
}
