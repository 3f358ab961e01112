//! SQL of `tenants`.

use wardgate_store::{GlobalSql, GlobalTx, StoreError, global_sql, params};

use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

const INSERT: GlobalSql = global_sql!(
    "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING"
);

pub(super) async fn insert(
    tx: &mut GlobalTx,
    id: TenantId,
    slug: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![id, slug, name, now]).await.map(drop)
}
