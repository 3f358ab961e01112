//! SQL of `mailed_links`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::{Link, Purpose};
use crate::columns::StoredDigest;
use crate::kernel::time::Timestamp;

const PUT: Sql = sql!(
    "INSERT INTO mailed_links \
     (tenant_id, purpose, slot, digest, user_id, password_version, browser, new_email, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     ON CONFLICT (tenant_id, purpose, slot) DO UPDATE SET digest = excluded.digest, user_id = excluded.user_id, \
     password_version = excluded.password_version, browser = excluded.browser, new_email = excluded.new_email, \
     expires_at = excluded.expires_at"
);
const FIND: Sql = sql!(
    "SELECT tenant_id, purpose, slot, user_id, password_version, browser, new_email FROM mailed_links \
     WHERE tenant_id = $1 AND digest = $2 AND expires_at > $3"
);
const TAKE: Sql = sql!(
    "DELETE FROM mailed_links WHERE tenant_id = $1 AND digest = $2 AND expires_at > $3 \
     RETURNING tenant_id, purpose, slot, user_id, password_version, browser, new_email"
);
const FORGET: Sql = sql!(
    "DELETE FROM mailed_links WHERE tenant_id = $1 AND digest IN \
     (SELECT digest FROM mailed_links WHERE tenant_id = $1 LIMIT $2)"
);
const PURGE: GlobalSql = global_sql!(
    "DELETE FROM mailed_links WHERE (tenant_id, purpose, slot) IN \
     (SELECT tenant_id, purpose, slot FROM mailed_links WHERE expires_at <= $1 LIMIT $2)"
);

impl FromRow for Link {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let (purpose, new_email): (String, Option<String>) = (row.get(0)?, row.get(5)?);
        let browser: Option<StoredDigest> = row.get(4)?;
        let slot: StoredDigest = row.get(1)?;
        let wrong = |what| StoreError::decode(format!("mailed_links: {what}"));
        Ok(Self {
            purpose: Purpose::from_word(&purpose).ok_or_else(|| wrong("an unknown purpose"))?,
            slot: slot.0,
            user: row.get(2)?,
            password_version: row.get(3)?,
            browser: browser.map(|browser| browser.0),
            new_email: new_email.map(|text| text.parse()).transpose().map_err(|_| wrong("no address"))?,
        })
    }
}

/// Writes the link in its slot; one that is there is gone.
pub(super) async fn put(
    tx: &mut Tx,
    digest: Digest,
    link: &Link,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let Link { purpose, slot, user, password_version, browser, new_email } = link;
    let (slot, digest) = (StoredDigest(*slot), StoredDigest(digest));
    let (browser, purpose) = (browser.map(StoredDigest), purpose.as_str());
    let new_email = new_email.as_ref().map(|email| email.as_str());
    let row = params![purpose, slot, digest, *user, *password_version, browser, new_email, expires_at];
    tx.exec(PUT, &row).await.map(drop)
}

/// The link, if it is not over at `now`.
pub(super) async fn find(tx: &mut Tx, digest: Digest, now: Timestamp) -> Result<Option<Link>, StoreError> {
    tx.opt(FIND, &params![StoredDigest(digest), now]).await
}

/// Uses the link up.
pub(super) async fn take(tx: &mut Tx, digest: Digest, now: Timestamp) -> Result<Option<Link>, StoreError> {
    tx.opt(TAKE, &params![StoredDigest(digest), now]).await
}

/// Removes up to `limit` links that ended before `now`; how many.
pub(super) async fn purge(tx: &mut GlobalTx, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.exec(PURGE, &params![now, limit]).await
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}
