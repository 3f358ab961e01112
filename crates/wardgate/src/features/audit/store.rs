//! SQL of `audit_events`.

use uuid::Uuid;
use wardgate_store::{FromRow, Row, Sql, StoreError, Tx, params, sql};

use super::model::{Action, AuditEvent, AuditFilter, Entry, Outcome};
use crate::features::tenants::DEFAULT_SLUG;
use crate::kernel::page::Position;
use crate::kernel::source::Source;

const INSERT: Sql = sql!(
    "INSERT INTO audit_events (tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
);
// An empty text stands for "any": PostgreSQL wants to know the type of a parameter, and a NULL has none.
const LIST_NEWEST: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id FROM audit_events \
     WHERE tenant_id = $1 AND (at, id) < ($2, $3) AND at >= $4 AND ($5 = '' OR actor = $5) \
     AND ($6 = '' OR target = $6) AND ($7 = '' OR action = $7) AND ($8 = '' OR outcome = $8) \
     ORDER BY at DESC, id DESC LIMIT $9"
);
const LIST_SINCE: Sql = sql!(
    "SELECT tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id FROM audit_events \
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
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    let (actor, address) = (entry.actor.to_string(), entry.source.address_text());
    let (action, outcome) = (entry.action.as_str(), entry.outcome.as_str());
    let request_id = entry.source.request_id.to_string();
    let Source { user_agent, .. } = &entry.source;
    let row =
        params![entry.id, entry.at, actor, action, entry.target, outcome, address, user_agent, request_id];
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
