//! SQL of `setup_links`.

use wardgate_crypto::Digest;
use wardgate_store::{Sql, StoreError, Tx, params, sql};

use crate::columns::StoredDigest;
use crate::kernel::time::Timestamp;

const PUT: Sql = sql!(
    "INSERT INTO setup_links (tenant_id, digest, expires_at) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant_id) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at"
);
const TAKE: Sql = sql!("DELETE FROM setup_links WHERE tenant_id = $1 AND digest = $2 AND expires_at > $3");
const CLEAR: Sql = sql!("DELETE FROM setup_links WHERE tenant_id = $1");

/// Makes this the only link.
pub(super) async fn put(tx: &mut Tx, digest: Digest, expires_at: Timestamp) -> Result<(), StoreError> {
    tx.exec(PUT, &params![StoredDigest(digest), expires_at]).await.map(drop)
}

/// Uses the link up; `false` if it is not the current one or has expired.
pub(super) async fn take(tx: &mut Tx, digest: Digest, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(TAKE, &params![StoredDigest(digest), now]).await? == 1)
}

/// Removes the link, if there is one; how many.
pub(super) async fn clear(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.exec(CLEAR, &params![]).await
}
