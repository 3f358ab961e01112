//! SQL of `guess_failures` and `known_sources`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::Failures;
use crate::columns::StoredDigest;
use crate::kernel::time::Timestamp;

const FORGET_FAILURES: Sql = sql!(
    "DELETE FROM guess_failures WHERE tenant_id = $1 AND subject IN \
     (SELECT subject FROM guess_failures WHERE tenant_id = $1 LIMIT $2)"
);
const FORGET_SOURCES: Sql = sql!(
    "DELETE FROM known_sources WHERE tenant_id = $1 AND subject IN \
     (SELECT subject FROM known_sources WHERE tenant_id = $1 LIMIT $2)"
);
const FAILURES: Sql = sql!(
    "SELECT tenant_id, failures, last_failed_at FROM guess_failures \
     WHERE tenant_id = $1 AND subject = $2 AND bucket = $3"
);
const ADD_FAILURE: Sql = sql!(
    "INSERT INTO guess_failures (tenant_id, subject, bucket, failures, last_failed_at) VALUES ($1, $2, $3, 1, $4) \
     ON CONFLICT (tenant_id, subject, bucket) DO UPDATE SET \
     failures = CASE WHEN guess_failures.last_failed_at <= $5 THEN 1 ELSE guess_failures.failures + 1 END, \
     last_failed_at = excluded.last_failed_at"
);
const CLAIM: Sql = sql!(
    "UPDATE guess_failures SET failures = failures + 1, last_failed_at = $6 \
     WHERE tenant_id = $1 AND subject = $2 AND bucket = $3 AND failures = $4 AND last_failed_at = $5"
);
const FORGET: Sql = sql!("DELETE FROM guess_failures WHERE tenant_id = $1 AND subject = $2 AND bucket = $3");
const FORGET_SUBJECT: Sql = sql!("DELETE FROM guess_failures WHERE tenant_id = $1 AND subject = $2");
const LAST_SUCCESS: Sql = sql!(
    "SELECT tenant_id, last_success_at FROM known_sources WHERE tenant_id = $1 AND subject = $2 AND source = $3"
);
const ANY_SUCCESS: Sql = sql!(
    "SELECT tenant_id, last_success_at FROM known_sources WHERE tenant_id = $1 AND subject = $2 LIMIT 1"
);
const NOTE_SUCCESS: Sql = sql!(
    "INSERT INTO known_sources (tenant_id, subject, source, last_success_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (tenant_id, subject, source) DO UPDATE SET last_success_at = excluded.last_success_at"
);
const PURGE_FAILURES: GlobalSql = global_sql!(
    "DELETE FROM guess_failures WHERE (tenant_id, subject, bucket) IN \
     (SELECT tenant_id, subject, bucket FROM guess_failures WHERE last_failed_at < $1 LIMIT $2)"
);
const PURGE_SOURCES: GlobalSql = global_sql!(
    "DELETE FROM known_sources WHERE (tenant_id, subject, source) IN \
     (SELECT tenant_id, subject, source FROM known_sources WHERE last_success_at < $1 LIMIT $2)"
);

impl FromRow for Failures {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let count: i64 = row.get(0)?;
        // A count that no u32 holds is one that lets nothing through.
        Ok(Self { count: u32::try_from(count).unwrap_or(u32::MAX), last_at: row.get(1)? })
    }
}

pub(super) async fn failures(
    tx: &mut Tx,
    subject: Digest,
    bucket: Digest,
) -> Result<Option<Failures>, StoreError> {
    tx.opt(FAILURES, &params![StoredDigest(subject), StoredDigest(bucket)]).await
}

/// Counts one more failure; those up to `forgotten` no longer count.
pub(super) async fn add_failure(
    tx: &mut Tx,
    subject: Digest,
    bucket: Digest,
    now: Timestamp,
    forgotten: Timestamp,
) -> Result<(), StoreError> {
    let (subject, bucket) = (StoredDigest(subject), StoredDigest(bucket));
    let row = params![subject, bucket, now, forgotten];
    tx.exec(ADD_FAILURE, &row).await.map(drop)
}

/// Counts one more failure if the row is still as it was `seen`; says whether this call did it.
pub(super) async fn claim(
    tx: &mut Tx,
    subject: Digest,
    bucket: Digest,
    seen: Failures,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (subject, bucket, count) = (StoredDigest(subject), StoredDigest(bucket), i64::from(seen.count));
    let row = params![subject, bucket, count, seen.last_at, now];
    Ok(tx.exec(CLAIM, &row).await? == 1)
}

pub(super) async fn forget(tx: &mut Tx, subject: Digest, bucket: Digest) -> Result<(), StoreError> {
    tx.exec(FORGET, &params![StoredDigest(subject), StoredDigest(bucket)]).await.map(drop)
}

/// Forgets the failures of the subject, in all its buckets.
pub(super) async fn forget_subject(tx: &mut Tx, subject: Digest) -> Result<(), StoreError> {
    tx.exec(FORGET_SUBJECT, &params![StoredDigest(subject)]).await.map(drop)
}

pub(super) async fn last_success(
    tx: &mut Tx,
    subject: Digest,
    source: Digest,
) -> Result<Option<Timestamp>, StoreError> {
    let found: Option<(Timestamp,)> =
        tx.opt(LAST_SUCCESS, &params![StoredDigest(subject), StoredDigest(source)]).await?;
    Ok(found.map(|(at,)| at))
}

/// Whether anybody signed in to the account lately, from anywhere.
pub(super) async fn has_succeeded(tx: &mut Tx, subject: Digest) -> Result<bool, StoreError> {
    let found: Option<(Timestamp,)> = tx.opt(ANY_SUCCESS, &params![StoredDigest(subject)]).await?;
    Ok(found.is_some())
}

pub(super) async fn note_success(
    tx: &mut Tx,
    subject: Digest,
    source: Digest,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(NOTE_SUCCESS, &params![StoredDigest(subject), StoredDigest(source), now]).await.map(drop)
}

/// Removes up to `limit` failures from before `before`; how many.
pub(super) async fn purge_failures(
    tx: &mut GlobalTx,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    tx.exec(PURGE_FAILURES, &params![before, limit]).await
}

/// Removes up to `limit` sources that last signed in before `before`; how many.
pub(super) async fn purge_sources(
    tx: &mut GlobalTx,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    tx.exec(PURGE_SOURCES, &params![before, limit]).await
}

/// Removes rows of the tenant, as when it goes; how many.
pub(super) async fn forget_tenant(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    let failures = tx.exec(FORGET_FAILURES, &params![limit]).await?;
    Ok(failures + tx.exec(FORGET_SOURCES, &params![limit]).await?)
}
