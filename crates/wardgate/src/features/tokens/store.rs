//! SQL of `refresh_tokens`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::{Consumed, RefreshToken};
use crate::columns::StoredDigest;
use crate::kernel::ids::{RefreshTokenId, SessionId};
use crate::kernel::time::Timestamp;

const BY_DIGEST: Sql = sql!(
    "SELECT tenant_id, id, session_id, consumed_at, successor_id, successor_nonce FROM refresh_tokens \
     WHERE tenant_id = $1 AND digest = $2"
);
const UNUSED_DIGEST: Sql = sql!(
    "SELECT tenant_id, digest FROM refresh_tokens WHERE tenant_id = $1 AND id = $2 AND consumed_at IS NULL"
);
const INSERT: Sql =
    sql!("INSERT INTO refresh_tokens (tenant_id, id, session_id, digest) VALUES ($1, $2, $3, $4)");
const CONSUME: Sql = sql!(
    "UPDATE refresh_tokens SET consumed_at = $3, successor_id = $4, successor_nonce = $5 \
     WHERE tenant_id = $1 AND id = $2 AND consumed_at IS NULL"
);

impl FromRow for RefreshToken {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let consumed = match row.get::<Option<Timestamp>>(2)? {
            Some(at) => Some(Consumed { at, successor: row.get(3)?, nonce: row.get(4)? }),
            None => None,
        };
        Ok(Self { id: row.get(0)?, session: row.get(1)?, consumed })
    }
}

pub(super) async fn by_digest(tx: &mut Tx, digest: Digest) -> Result<Option<RefreshToken>, StoreError> {
    tx.opt(BY_DIGEST, &params![StoredDigest(digest)]).await
}

/// The digest of a token that was not used yet; `None` if it was, or is not there.
pub(super) async fn unused_digest(tx: &mut Tx, id: RefreshTokenId) -> Result<Option<Digest>, StoreError> {
    let row: Option<(StoredDigest,)> = tx.opt(UNUSED_DIGEST, &params![id]).await?;
    Ok(row.map(|(digest,)| digest.0))
}

pub(super) async fn insert(
    tx: &mut Tx,
    id: RefreshTokenId,
    session: SessionId,
    digest: Digest,
) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![id, session, StoredDigest(digest)]).await.map(drop)
}

/// Marks the token consumed, and says whether *this* call did it.
///
/// `false` means another request was first; re-read and decide again. The state check lives in the
/// `UPDATE`, so two nodes cannot both win.
pub(super) async fn consume(
    tx: &mut Tx,
    id: RefreshTokenId,
    consumed: &Consumed,
) -> Result<bool, StoreError> {
    let Consumed { at, successor, nonce } = consumed;
    Ok(tx.exec(CONSUME, &params![id, at, successor, nonce]).await? == 1)
}
