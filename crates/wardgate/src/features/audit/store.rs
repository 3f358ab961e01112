//! SQL of `audit_events`.

use uuid::Uuid;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::{
    Action, AuditEvent, AuditFilter, Entry, Link, Outcome, Place, PlaceKind, SealedEvent, SinkPlace,
};
use crate::kernel::ids::{AuditEventId, TenantId};
use crate::kernel::page::Position;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

const FORGET_EVENTS: Sql = sql!(
    "DELETE FROM audit_events WHERE tenant_id = $1 AND id IN \
     (SELECT id FROM audit_events WHERE tenant_id = $1 LIMIT $2)"
);
const FORGET_HEADS: Sql = sql!("DELETE FROM audit_heads WHERE tenant_id = $1");
const FORGET_SINKS: Sql = sql!("DELETE FROM audit_sinks WHERE tenant_id = $1");
const INSERT: Sql = sql!(
    "INSERT INTO audit_events (tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);
// An empty text stands for "any": PostgreSQL wants to know the type of a parameter, and a NULL has none.
const LIST_NEWEST: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND (at, id) < ($2, $3) AND at >= $4 AND ($5 = '' OR actor = $5) \
     AND ($6 = '' OR target = $6) AND ($7 = '' OR action = $7) AND ($8 = '' OR outcome = $8) \
     ORDER BY at DESC, id DESC LIMIT $9"
);
const LIST_SINCE: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND (at, id) > ($2, $3) ORDER BY at, id LIMIT $4"
);

// By `seq` too, though it is one NULL: that is the index's order on both engines.
const LIST_UNSEALED: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND seq IS NULL ORDER BY seq, at, id LIMIT $2"
);
const LIST_SEALED: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count, seq, mac, personal_digest \
     FROM audit_events WHERE tenant_id = $1 AND seq >= $2 ORDER BY seq, at, id LIMIT $3"
);
const EXPORT_SEALED: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count, seq, mac, personal_digest \
     FROM audit_events WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 AND at >= $4 AND at < $5 \
     ORDER BY seq, at, id LIMIT $6"
);
const EXPORT_UNSEALED: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND seq IS NULL AND (at, id) > ($2, $3) AND at >= $4 AND at < $5 \
     ORDER BY seq, at, id LIMIT $6"
);
const TENANTS_UNSEALED: GlobalSql =
    global_sql!("SELECT DISTINCT tenant_id FROM audit_events WHERE seq IS NULL LIMIT 1000");
const LAST_SEQ: Sql = sql!(
    "SELECT tenant_id, seq FROM audit_events WHERE tenant_id = $1 AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
const SEAL: Sql = sql!(
    "UPDATE audit_events SET seq = $3, mac = $4, personal_digest = $5 \
     WHERE tenant_id = $1 AND id = $2 AND seq IS NULL"
);
const REMOVE_TO: Sql = sql!("DELETE FROM audit_events WHERE tenant_id = $1 AND seq <= $2");
const PLACE: Sql =
    sql!("SELECT tenant_id, seq, mac, at, signature FROM audit_heads WHERE tenant_id = $1 AND kind = $2");
const PUT_PLACE: Sql = sql!(
    "INSERT INTO audit_heads (tenant_id, kind, seq, mac, at, signature) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (tenant_id, kind) DO UPDATE \
     SET seq = excluded.seq, mac = excluded.mac, at = excluded.at, signature = excluded.signature"
);

const TENANTS_BEHIND: GlobalSql = global_sql!(
    "SELECT h.tenant_id FROM audit_heads h \
     LEFT JOIN audit_sinks s ON s.tenant_id = h.tenant_id AND s.name = $1 \
     WHERE h.kind = 'head' AND (s.seq IS NULL OR s.seq < h.seq) \
     AND (s.due_at IS NULL OR s.due_at <= $2 OR s.due_at > $3) ORDER BY h.tenant_id LIMIT 1000"
);
const SINK: Sql =
    sql!("SELECT tenant_id, name, seq, failures, due_at FROM audit_sinks WHERE tenant_id = $1 AND name = $2");
const BEGIN_SINK: Sql = sql!(
    "INSERT INTO audit_sinks (tenant_id, name, seq, failures, due_at) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (tenant_id, name) DO NOTHING"
);
const MOVE_SINK: Sql = sql!(
    "UPDATE audit_sinks SET seq = $5, failures = $6, due_at = $7 \
     WHERE tenant_id = $1 AND name = $2 AND seq = $3 AND due_at = $4"
);

impl FromRow for SinkPlace {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { name: row.get(0)?, seq: row.get(1)?, failures: row.get(2)?, due_at: row.get(3)? })
    }
}

impl FromRow for SealedEvent {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            event: AuditEvent::from_row(row)?,
            seq: row.get(10)?,
            mac: row.get(11)?,
            personal_digest: row.get(12)?,
        })
    }
}

impl FromRow for Place {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { seq: row.get(0)?, mac: row.get(1)?, at: row.get(2)?, signature: row.get(3)? })
    }
}

struct Seq(i64);

impl FromRow for Seq {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get(0).map(Self)
    }
}

impl FromRow for AuditEvent {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            target: row.get(4)?,
            outcome: row.get(5)?,
            source: row.get(6)?,
            user_agent: row.get(7)?,
            request_id: row.get(8)?,
            tenant: TenantId::DEFAULT_SLUG.to_owned(),
            count: row.get(9)?,
        })
    }
}

/// Some of the tenants that have records to be sealed.
pub(super) async fn tenants_unsealed(tx: &mut GlobalTx) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(TenantId,)> = tx.all(TENANTS_UNSEALED, &params![]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn insert(tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    let (actor, address) = (entry.actor.to_string(), entry.source.address_text());
    let (action, outcome) = (entry.action.as_str(), entry.outcome.as_str());
    let request_id = entry.source.request_id.to_string();
    let Source { user_agent, .. } = &entry.source;
    let row = params![
        entry.id,
        entry.at,
        actor,
        action,
        entry.target,
        outcome,
        address,
        user_agent,
        request_id,
        entry.count
    ];
    tx.exec(INSERT, &row).await.map(drop)
}

/// Newest first, those before `before` that the filter lets pass.
pub(super) async fn list_newest(
    tx: &mut Tx,
    before: Position,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Vec<AuditEvent>, StoreError> {
    // The moment at which the filter ends is itself left out.
    let before = before.min(Position { at: filter.end(), id: Uuid::nil() });
    let (actor, target) = (filter.actor.as_deref().unwrap_or(""), filter.target.as_deref().unwrap_or(""));
    let (first, action) = (filter.first(), filter.action.map_or("", Action::as_str));
    let outcome = filter.outcome.map_or("", Outcome::as_str);
    let wanted = params![before.at, before.id, first, actor, target, action, outcome, limit];
    tx.all(LIST_NEWEST, &wanted).await
}

/// Oldest first, those after `after`.
pub(super) async fn list_since(
    tx: &mut Tx,
    after: Position,
    limit: i64,
) -> Result<Vec<AuditEvent>, StoreError> {
    tx.all(LIST_SINCE, &params![after.at, after.id, limit]).await
}

/// Those without a place in the chain, oldest first.
pub(super) async fn list_unsealed(tx: &mut Tx, limit: i64) -> Result<Vec<AuditEvent>, StoreError> {
    tx.all(LIST_UNSEALED, &params![limit]).await
}

/// The chain from `seq` on, that one included.
pub(super) async fn list_sealed(tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<SealedEvent>, StoreError> {
    tx.all(LIST_SEALED, &params![seq, limit]).await
}

/// The chain behind `after` up to `last`, as far as the filter's times allow.
pub(super) async fn export_sealed(
    tx: &mut Tx,
    after: i64,
    last: i64,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Vec<SealedEvent>, StoreError> {
    let (first, end) = (filter.first(), filter.end());
    tx.all(EXPORT_SEALED, &params![after, last, first, end, limit]).await
}

/// Those without a place in the chain behind `after`, as far as the filter's times allow.
pub(super) async fn export_unsealed(
    tx: &mut Tx,
    after: Position,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Vec<AuditEvent>, StoreError> {
    let (first, end) = (filter.first(), filter.end());
    tx.all(EXPORT_UNSEALED, &params![after.at, after.id, first, end, limit]).await
}

/// The highest number in the table, whoever wrote it.
pub(super) async fn last_seq(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    Ok(tx.opt::<Seq>(LAST_SEQ, &[]).await?.map(|Seq(seq)| seq))
}

/// Gives a record its place; `false` if it has one.
pub(super) async fn seal(
    tx: &mut Tx,
    id: AuditEventId,
    link: &Link,
    personal_digest: &[u8; 32],
) -> Result<bool, StoreError> {
    Ok(tx.exec(SEAL, &params![id, link.seq, link.mac, *personal_digest]).await? == 1)
}

/// Removes the beginning of the chain, `seq` included; how many.
pub(super) async fn remove_to(tx: &mut Tx, seq: i64) -> Result<u64, StoreError> {
    tx.exec(REMOVE_TO, &params![seq]).await
}

pub(super) async fn place(tx: &mut Tx, kind: PlaceKind) -> Result<Option<Place>, StoreError> {
    tx.opt(PLACE, &params![*kind.as_str()]).await
}

pub(super) async fn put_place(tx: &mut Tx, kind: PlaceKind, place: &Place) -> Result<(), StoreError> {
    let row = params![*kind.as_str(), place.seq, place.mac, place.at, place.signature];
    tx.exec(PUT_PLACE, &row).await.map(drop)
}

/// Some of the tenants of which a sink has not taken everything and may be given more: not before `due_at`, unless that
/// is after `never`.
pub(super) async fn tenants_behind(
    tx: &mut GlobalTx,
    sink: &str,
    now: Timestamp,
    never: Timestamp,
) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(TenantId,)> = tx.all(TENANTS_BEHIND, &params![*sink, now, never]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn sink_place(tx: &mut Tx, name: &str) -> Result<Option<SinkPlace>, StoreError> {
    tx.opt(SINK, &params![*name]).await
}

/// Writes the first place of a sink, unless it has one.
pub(super) async fn begin_sink(tx: &mut Tx, place: &SinkPlace) -> Result<(), StoreError> {
    let row = params![place.name, place.seq, place.failures, place.due_at];
    tx.exec(BEGIN_SINK, &row).await.map(drop)
}

/// Moves a sink from one place to another; `false` if it stands elsewhere by now.
pub(super) async fn move_sink(tx: &mut Tx, from: &SinkPlace, to: &SinkPlace) -> Result<bool, StoreError> {
    let row = params![from.name, from.seq, from.due_at, to.seq, to.failures, to.due_at];
    Ok(tx.exec(MOVE_SINK, &row).await? == 1)
}

/// Removes rows of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    let events = tx.exec(FORGET_EVENTS, &params![limit]).await?;
    let heads = tx.exec(FORGET_HEADS, &params![]).await?;
    Ok(events + heads + tx.exec(FORGET_SINKS, &params![]).await?)
}
