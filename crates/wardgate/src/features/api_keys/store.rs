//! SQL of `api_keys`.

use uuid::Uuid;
use wardgate_crypto::Digest;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::{ApiKey, Period, Quota, RateLimit, Used};
use crate::columns::StoredDigest;
use crate::features::roles::Scope;
use crate::kernel::ids::{ApiKeyId, ServiceAccountId, UserId};
use crate::kernel::page::Position;
use crate::kernel::principal::Subject;
use crate::kernel::time::Timestamp;

const FORGET: Sql = sql!(
    "DELETE FROM api_keys WHERE tenant_id = $1 AND id IN (SELECT id FROM api_keys WHERE tenant_id = $1 LIMIT $2)"
);
const BY_DIGEST: Sql = sql!(
    "SELECT tenant_id, id, owner_kind, owner_id, name, scopes, networks, rate_requests, rate_seconds, quota_requests, \
     quota_period, quota_since, quota_used, created_at, expires_at, revoked_at, replaced_at, last_used_at, last_used_address \
     FROM api_keys WHERE tenant_id = $1 AND digest = $2"
);
const BY_ID: Sql = sql!(
    "SELECT tenant_id, id, owner_kind, owner_id, name, scopes, networks, rate_requests, rate_seconds, quota_requests, \
     quota_period, quota_since, quota_used, created_at, expires_at, revoked_at, replaced_at, last_used_at, last_used_address \
     FROM api_keys WHERE tenant_id = $1 AND id = $2"
);
const LIST_LIVE: Sql = sql!(
    "SELECT tenant_id, id, owner_kind, owner_id, name, scopes, networks, rate_requests, rate_seconds, quota_requests, \
     quota_period, quota_since, quota_used, created_at, expires_at, revoked_at, replaced_at, last_used_at, last_used_address \
     FROM api_keys WHERE tenant_id = $1 AND owner_id = $2 AND revoked_at IS NULL \
     AND (expires_at IS NULL OR expires_at > $3) AND (created_at, id) < ($4, $5) \
     ORDER BY created_at DESC, id DESC LIMIT $6"
);
const INSERT: Sql = sql!(
    "INSERT INTO api_keys (tenant_id, id, owner_kind, owner_id, name, digest, scopes, networks, rate_requests, rate_seconds, \
     quota_requests, quota_period, quota_used, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14)"
);
const UPDATE: Sql = sql!(
    "UPDATE api_keys SET name = $3, scopes = $4, networks = $5, rate_requests = $6, rate_seconds = $7, \
     quota_requests = $8, quota_period = $9, expires_at = $10, \
     quota_since = CASE WHEN quota_period = $9 THEN quota_since END, \
     quota_used = CASE WHEN quota_period = $9 THEN quota_used ELSE 0 END \
     WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL"
);
const REPLACE: Sql = sql!(
    "UPDATE api_keys SET replaced_at = $3, expires_at = $4 \
     WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND replaced_at IS NULL"
);
const REVOKE: Sql =
    sql!("UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL");
const REVOKE_EVERY: Sql =
    sql!("UPDATE api_keys SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL");
const DELETE_ALL_OF: Sql = sql!("DELETE FROM api_keys WHERE tenant_id = $1 AND owner_id = $2");
const NOTE_USE: Sql =
    sql!("UPDATE api_keys SET last_used_at = $3, last_used_address = $4 WHERE tenant_id = $1 AND id = $2");
const COUNT_USE: Sql = sql!(
    "UPDATE api_keys SET quota_used = quota_used + $5 \
     WHERE tenant_id = $1 AND id = $2 AND quota_period = $3 AND quota_since = $4"
);
const BEGIN_PERIOD: Sql = sql!(
    "UPDATE api_keys SET quota_since = $4, quota_used = $5 \
     WHERE tenant_id = $1 AND id = $2 AND quota_period = $3 AND (quota_since IS NULL OR quota_since < $4)"
);
const PURGE: GlobalSql = global_sql!(
    "DELETE FROM api_keys WHERE (tenant_id, id) IN \
     (SELECT tenant_id, id FROM api_keys WHERE revoked_at < $1 OR expires_at < $1 LIMIT $2)"
);

const USER: &str = "user";
const SERVICE_ACCOUNT: &str = "service_account";

fn owner(kind: &str, id: Uuid) -> Result<Subject, StoreError> {
    match kind {
        USER => Ok(UserId::from_uuid(id).into()),
        SERVICE_ACCOUNT => Ok(ServiceAccountId::from_uuid(id).into()),
        _ => Err(StoreError::decode("no kind of owner")),
    }
}

fn kind(owner: Subject) -> &'static str {
    match owner {
        Subject::User(_) => USER,
        Subject::ServiceAccount(_) => SERVICE_ACCOUNT,
    }
}

fn number<T: TryFrom<i64>>(stored: i64) -> Result<T, StoreError> {
    T::try_from(stored).map_err(|_| StoreError::decode("a number out of its range"))
}

impl FromRow for ApiKey {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let networks: Option<String> = row.get(5)?;
        let networks: Result<Vec<_>, _> =
            networks.unwrap_or_default().split_whitespace().map(str::parse).collect();
        let rate_limit = match (row.get::<Option<i64>>(6)?, row.get::<Option<i64>>(7)?) {
            (Some(requests), Some(seconds)) => {
                Some(RateLimit { requests: number(requests)?, seconds: number(seconds)? })
            }
            _ => None,
        };
        let quota = match (row.get::<Option<i64>>(8)?, row.get::<Option<String>>(9)?) {
            (Some(requests), Some(period)) => {
                let period = period.parse().map_err(|()| StoreError::decode("no period"))?;
                Some(Quota { requests: number(requests)?, period })
            }
            _ => None,
        };
        Ok(Self {
            id: row.get(0)?,
            owner: owner(&row.get::<String>(1)?, row.get(2)?)?,
            name: row.get(3)?,
            scopes: row.get::<Option<String>>(4)?.map(Scope::stored),
            // A range that cannot be read must not turn a key that is bound into one that is free.
            networks: networks.map_err(|_| StoreError::decode("no network"))?,
            rate_limit,
            quota,
            used: Used { since: row.get(10)?, requests: number(row.get(11)?)? },
            created_at: row.get(12)?,
            expires_at: row.get(13)?,
            revoked_at: row.get(14)?,
            replaced_at: row.get(15)?,
            last_used_at: row.get(16)?,
            last_used_address: row.get(17)?,
        })
    }
}

/// The columns that a change may touch.
struct Changeable {
    scopes: Option<String>,
    networks: Option<String>,
    rate_requests: Option<i64>,
    rate_seconds: Option<i64>,
    quota_requests: Option<i64>,
    quota_period: Option<&'static str>,
}

impl Changeable {
    fn of(key: &ApiKey) -> Self {
        let networks: Vec<String> = key.networks.iter().map(ToString::to_string).collect();
        Self {
            scopes: key.scopes.as_ref().map(|scope| scope.as_str().to_owned()),
            networks: (!networks.is_empty()).then(|| networks.join(" ")),
            rate_requests: key.rate_limit.map(|limit| limit.requests.into()),
            rate_seconds: key.rate_limit.map(|limit| limit.seconds.into()),
            quota_requests: key.quota.map(|quota| i64::try_from(quota.requests).unwrap_or(i64::MAX)),
            quota_period: key.quota.map(|quota| quota.period.as_str()),
        }
    }
}

pub(super) async fn by_digest(tx: &mut Tx, digest: Digest) -> Result<Option<ApiKey>, StoreError> {
    tx.opt(BY_DIGEST, &params![StoredDigest(digest)]).await
}

pub(super) async fn by_id(tx: &mut Tx, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    tx.opt(BY_ID, &params![id]).await
}

/// The owner's live keys, newest first, those after `start` in that order.
pub(super) async fn list_live(
    tx: &mut Tx,
    owner: Subject,
    now: Timestamp,
    start: Position,
    limit: i64,
) -> Result<Vec<ApiKey>, StoreError> {
    tx.all(LIST_LIVE, &params![owner, now, start.at, start.id, limit]).await
}

pub(super) async fn insert(tx: &mut Tx, key: &ApiKey, digest: Digest) -> Result<(), StoreError> {
    let Changeable { scopes, networks, rate_requests, rate_seconds, quota_requests, quota_period } =
        Changeable::of(key);
    let (kind, digest) = (kind(key.owner), StoredDigest(digest));
    let row = params![
        key.id,
        kind,
        key.owner,
        key.name,
        digest,
        scopes,
        networks,
        rate_requests,
        rate_seconds,
        quota_requests,
        quota_period,
        key.created_at,
        key.expires_at
    ];
    tx.exec(INSERT, &row).await.map(drop)
}

/// `false` if it was revoked meanwhile.
pub(super) async fn update(tx: &mut Tx, key: &ApiKey) -> Result<bool, StoreError> {
    let Changeable { scopes, networks, rate_requests, rate_seconds, quota_requests, quota_period } =
        Changeable::of(key);
    let row = params![
        key.id,
        key.name,
        scopes,
        networks,
        rate_requests,
        rate_seconds,
        quota_requests,
        quota_period,
        key.expires_at
    ];
    Ok(tx.exec(UPDATE, &row).await? == 1)
}

/// Says whether this call gave it its successor: a key has one.
pub(super) async fn replace(
    tx: &mut Tx,
    id: ApiKeyId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(REPLACE, &params![id, now, expires_at]).await? == 1)
}

/// Says whether this call did it.
pub(super) async fn revoke(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(REVOKE, &params![id, now]).await? == 1)
}

pub(super) async fn delete_all_of(tx: &mut Tx, owner: Subject) -> Result<u64, StoreError> {
    tx.exec(DELETE_ALL_OF, &params![owner]).await
}

pub(super) async fn note_use(
    tx: &mut Tx,
    id: ApiKeyId,
    at: Timestamp,
    address: Option<&str>,
) -> Result<(), StoreError> {
    tx.exec(NOTE_USE, &params![id, at, address]).await.map(drop)
}

/// Adds uses to those of the `period` that began at `since`; what belongs to an earlier one, or to a quota that the key
/// has no more, is let go.
pub(super) async fn count_use(
    tx: &mut Tx,
    id: ApiKeyId,
    (period, since): (Period, Timestamp),
    requests: i64,
) -> Result<(), StoreError> {
    if tx.exec(COUNT_USE, &params![id, period.as_str(), since, requests]).await? == 0 {
        tx.exec(BEGIN_PERIOD, &params![id, period.as_str(), since, requests]).await?;
    }
    Ok(())
}

/// Removes up to `limit` keys that were revoked or ended before `before`; how many.
pub(super) async fn purge(tx: &mut GlobalTx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.exec(PURGE, &params![before, limit]).await
}

/// Removes up to `limit` rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET, &params![limit]).await
}

/// Revokes every key of the tenant; how many.
pub(super) async fn revoke_every(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.exec(REVOKE_EVERY, &params![now]).await
}
