//! SQL of `identity_links`.

use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::Identity;
use crate::kernel::ids::{IdentityId, UserId};
use crate::kernel::time::Timestamp;

const BY_SUBJECT: Sql = sql!(
    "SELECT tenant_id, id, user_id, provider, issuer, subject, email, by_address, created_at, last_used_at FROM identity_links \
     WHERE tenant_id = $1 AND issuer = $2 AND subject = $3"
);
const OF_USER: Sql = sql!(
    "SELECT tenant_id, id, user_id, provider, issuer, subject, email, by_address, created_at, last_used_at FROM identity_links \
     WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC"
);
const INSERT: Sql = sql!(
    "INSERT INTO identity_links \
     (tenant_id, id, user_id, provider, issuer, subject, email, by_address, created_at, last_used_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)"
);
const NOTE_USE: Sql = sql!("UPDATE identity_links SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2");
const CONFIRM: Sql =
    sql!("UPDATE identity_links SET by_address = 0 WHERE tenant_id = $1 AND id = $2 AND by_address = 1");
const REMOVE: Sql = sql!("DELETE FROM identity_links WHERE tenant_id = $1 AND user_id = $2 AND id = $3");
const END_ALL_OF: Sql = sql!("DELETE FROM identity_links WHERE tenant_id = $1 AND user_id = $2");
const FORGET: Sql = sql!(
    "DELETE FROM identity_links WHERE tenant_id = $1 AND id IN \
     (SELECT id FROM identity_links WHERE tenant_id = $1 LIMIT $2)"
);

impl FromRow for Identity {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            user: row.get(1)?,
            provider: row.get(2)?,
            issuer: row.get(3)?,
            subject: row.get(4)?,
            email: row.get(5)?,
            by_address: row.get(6)?,
            created_at: row.get(7)?,
            last_used_at: row.get(8)?,
        })
    }
}

pub(super) async fn by_subject(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
) -> Result<Option<Identity>, StoreError> {
    tx.opt(BY_SUBJECT, &params![issuer, subject]).await
}

/// All of the user, newest first; they are few.
pub(super) async fn of_user(tx: &mut Tx, user: UserId) -> Result<Vec<Identity>, StoreError> {
    tx.all(OF_USER, &params![user]).await
}

/// `Constraint` on `identity_links.issuer, subject` when somebody has it.
pub(super) async fn insert(tx: &mut Tx, identity: &Identity) -> Result<(), StoreError> {
    let Identity { id, user, provider, issuer, subject, email, by_address, created_at, last_used_at: _ } =
        identity;
    let row = params![id, user, provider, issuer, subject, email, by_address, created_at];
    tx.exec(INSERT, &row).await.map(drop)
}

pub(super) async fn note_use(tx: &mut Tx, id: IdentityId, now: Timestamp) -> Result<(), StoreError> {
    tx.exec(NOTE_USE, &params![id, now]).await.map(drop)
}

/// Says whether it was by address until now.
pub(super) async fn confirm(tx: &mut Tx, id: IdentityId) -> Result<bool, StoreError> {
    Ok(tx.exec(CONFIRM, &params![id]).await? == 1)
}

/// Says whether this call did it: `false` for another's.
pub(super) async fn remove(tx: &mut Tx, user: UserId, id: IdentityId) -> Result<bool, StoreError> {
    Ok(tx.exec(REMOVE, &params![user, id]).await? == 1)
}

pub(super) async fn end_all_of(tx: &mut Tx, user: UserId) -> Result<u64, StoreError> {
    tx.exec(END_ALL_OF, &params![user]).await
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}
