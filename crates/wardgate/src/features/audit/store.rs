//! SQL of `audit_events`.

use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::{AuditEvent, Entry};
use crate::features::tenants::DEFAULT_SLUG;
use crate::kernel::page::Position;
use crate::kernel::source::Source;

const INSERT: Sql = sql!(
    "INSERT INTO audit_events (tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);
const LIST_NEWEST: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4"
);
const LIST_SINCE: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id, count FROM audit_events \
     WHERE tenant_id = $1 AND (at, id) > ($2, $3) ORDER BY at, id LIMIT $4"
);

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
            tenant: DEFAULT_SLUG,
            count: row.get(9)?,
        })
    }
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

/// Newest first, those before `before`.
pub(super) async fn list_newest(
    tx: &mut Tx,
    before: Position,
    limit: i64,
) -> Result<Vec<AuditEvent>, StoreError> {
    tx.all(LIST_NEWEST, &params![before.at, before.id, limit]).await
}

/// Oldest first, those after `after`.
pub(super) async fn list_since(
    tx: &mut Tx,
    after: Position,
    limit: i64,
) -> Result<Vec<AuditEvent>, StoreError> {
    tx.all(LIST_SINCE, &params![after.at, after.id, limit]).await
}
