//! SQL of `tenants`, `tenant_hosts` and `retired_slugs`, which stand above tenants.

use serde_json::json;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, StoreError, global_sql, params};

use super::model::Tenant;
use crate::kernel::ids::TenantId;
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

const INSERT: GlobalSql = global_sql!(
    "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING"
);
const BY_ID: GlobalSql = global_sql!(
    "SELECT id, slug, name, logo_url, accent_color, registration, min_password_length, suspended_at, created_at, issuer_host, \
     rate_limits, mail_urls FROM tenants WHERE id = $1"
);
const BY_SLUG: GlobalSql = global_sql!(
    "SELECT id, slug, name, logo_url, accent_color, registration, min_password_length, suspended_at, created_at, issuer_host, \
     rate_limits, mail_urls FROM tenants WHERE slug = $1"
);
const BY_HOST: GlobalSql = global_sql!(
    "SELECT t.id, t.slug, t.name, t.logo_url, t.accent_color, t.registration, t.min_password_length, t.suspended_at, \
     t.created_at, t.issuer_host, t.rate_limits, t.mail_urls FROM tenants t JOIN tenant_hosts h ON h.tenant_id = t.id WHERE h.host = $1"
);
const LIST: GlobalSql = global_sql!(
    "SELECT id, slug, name, logo_url, accent_color, registration, min_password_length, suspended_at, created_at, issuer_host, \
     rate_limits, mail_urls FROM tenants WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"
);
const LIST_IDS: GlobalSql =
    global_sql!("SELECT id FROM tenants WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3");
const UPDATE: GlobalSql = global_sql!(
    "UPDATE tenants SET name = $2, logo_url = $3, registration = $4, min_password_length = $5, issuer_host = $6, \
     accent_color = $7, rate_limits = $8, mail_urls = $9 WHERE id = $1"
);
const SET_SUSPENDED: GlobalSql = global_sql!("UPDATE tenants SET suspended_at = $2 WHERE id = $1");
const DELETE: GlobalSql = global_sql!("DELETE FROM tenants WHERE id = $1");
const HOSTS: GlobalSql = global_sql!("SELECT host FROM tenant_hosts WHERE tenant_id = $1 ORDER BY host");
const LIST_HOSTS: GlobalSql = global_sql!(
    "SELECT h.tenant_id, h.host FROM tenant_hosts h JOIN (SELECT id FROM tenants WHERE (created_at, id) < ($1, $2) \
     ORDER BY created_at DESC, id DESC LIMIT $3) page ON page.id = h.tenant_id ORDER BY h.host"
);
const ADD_HOST: GlobalSql = global_sql!("INSERT INTO tenant_hosts (host, tenant_id) VALUES ($1, $2)");
const CLEAR_HOSTS: GlobalSql = global_sql!("DELETE FROM tenant_hosts WHERE tenant_id = $1");
const RETIRE_SLUG: GlobalSql =
    global_sql!("INSERT INTO retired_slugs (slug) VALUES ($1) ON CONFLICT (slug) DO NOTHING");
const IS_RETIRED: GlobalSql = global_sql!("SELECT slug FROM retired_slugs WHERE slug = $1");

impl FromRow for Tenant {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            slug: row.get(1)?,
            name: row.get(2)?,
            logo_url: row.get(3)?,
            accent_color: row.get(4)?,
            registration: row.get(5)?,
            min_password_length: row.get(6)?,
            hosts: Vec::new(),
            suspended_at: row.get(7)?,
            created_at: row.get(8)?,
            issuer_host: row.get(9)?,
            rate_limits: row.get(10)?,
            mail_urls: row.get(11)?,
        })
    }
}

/// Leaves a tenant that has this id as it is. `Constraint` on `tenants.slug` when the slug is taken.
pub(super) async fn insert(
    tx: &mut GlobalTx,
    id: TenantId,
    slug: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![id, slug, name, now]).await.map(drop)
}

pub(super) async fn by_id(tx: &mut GlobalTx, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    let Some(mut tenant) = tx.opt::<Tenant>(BY_ID, &params![id]).await? else { return Ok(None) };
    let rows: Vec<(String,)> = tx.all(HOSTS, &params![id]).await?;
    for (host,) in rows {
        tenant.reached_at(host);
    }
    Ok(Some(tenant))
}

/// Without its hosts, which no request needs.
pub(super) async fn by_slug(tx: &mut GlobalTx, slug: &str) -> Result<Option<Tenant>, StoreError> {
    tx.opt(BY_SLUG, &params![slug]).await
}

/// Without its hosts, which no request needs.
pub(super) async fn by_host(tx: &mut GlobalTx, host: &str) -> Result<Option<Tenant>, StoreError> {
    tx.opt(BY_HOST, &params![host]).await
}

/// Newest first, those after `start` in that order.
pub(super) async fn list(tx: &mut GlobalTx, start: Position, limit: i64) -> Result<Vec<Tenant>, StoreError> {
    let mut page: Vec<Tenant> = tx.all(LIST, &params![start.at, start.id, limit]).await?;
    let rows: Vec<(TenantId, String)> = tx.all(LIST_HOSTS, &params![start.at, start.id, limit]).await?;
    for (id, host) in rows {
        if let Some(tenant) = page.iter_mut().find(|tenant| tenant.id == id) {
            tenant.reached_at(host);
        }
    }
    Ok(page)
}

/// Oldest first, those after `start`: what a sweep over all tenants goes through.
pub(super) async fn list_ids(
    tx: &mut GlobalTx,
    start: Position,
    limit: i64,
) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(TenantId,)> = tx.all(LIST_IDS, &params![start.at, start.id, limit]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn update(tx: &mut GlobalTx, tenant: &Tenant) -> Result<(), StoreError> {
    let limits = tenant.rate_limits.map(|own| json!(own).to_string());
    let urls = tenant.mail_urls.as_ref().map(|own| json!(own).to_string());
    let row = params![
        tenant.id,
        tenant.name,
        tenant.logo_url,
        tenant.registration,
        tenant.min_password_length,
        tenant.issuer_host,
        tenant.accent_color,
        limits,
        urls
    ];
    tx.exec(UPDATE, &row).await.map(drop)
}

pub(super) async fn set_suspended(
    tx: &mut GlobalTx,
    id: TenantId,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    tx.exec(SET_SUSPENDED, &params![id, at]).await.map(drop)
}

/// `Constraint` on `tenant_hosts.host` when another tenant has one of them.
pub(super) async fn set_hosts(tx: &mut GlobalTx, id: TenantId, hosts: &[String]) -> Result<(), StoreError> {
    tx.exec(CLEAR_HOSTS, &params![id]).await?;
    for host in hosts {
        tx.exec(ADD_HOST, &params![host, id]).await?;
    }
    Ok(())
}

/// Removes the tenant and its hosts, and keeps its slug from ever being used again.
pub(super) async fn delete(tx: &mut GlobalTx, tenant: &Tenant) -> Result<(), StoreError> {
    tx.exec(RETIRE_SLUG, &params![tenant.slug]).await?;
    tx.exec(CLEAR_HOSTS, &params![tenant.id]).await?;
    tx.exec(DELETE, &params![tenant.id]).await.map(drop)
}

pub(super) async fn is_retired(tx: &mut GlobalTx, slug: &str) -> Result<bool, StoreError> {
    Ok(tx.opt::<(String,)>(IS_RETIRED, &params![slug]).await?.is_some())
}
