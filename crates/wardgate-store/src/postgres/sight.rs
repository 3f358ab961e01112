//! Row-level security: the server's own guard behind the filter of every query.
//!
//! Every table with a `tenant_id` shows and takes rows of one tenant only: of the one that the setting `wardgate.tenant`
//! names. Where nothing is set, it shows nothing. It holds for the tables' owner too, but not for a superuser, nor for a
//! role with `BYPASSRLS`.

use super::{error::store_error, lease::Lease};
use crate::{StoreError, TenantKey};

/// Which tenants' rows a connection may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// One tenant's.
    Tenant(TenantKey),
    /// Everyone's, for what is above tenants.
    All,
}

impl Sight {
    /// What lets a connection see so much: the connection and not the transaction, since a lookup has none.
    pub(crate) fn statement(self) -> String {
        match self {
            Self::Tenant(TenantKey(id)) => format!("SET wardgate.tenant = '{id}'"),
            Self::All => "SET wardgate.tenant = 'all'".to_owned(),
        }
    }
}

/// Puts the guard on every table that lacks it.
///
/// The setting is read once a statement, thanks to the sub-select, and not once a row.
pub(super) async fn guard(lease: &Lease) -> Result<(), StoreError> {
    lease
        .batch(
            "DO $$
             DECLARE unguarded regclass;
             BEGIN
               FOR unguarded IN
                 SELECT t.oid::regclass FROM pg_class t
                 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                 WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace
                 AND NOT t.relforcerowsecurity
               LOOP
                 EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', unguarded);
                 EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', unguarded);
                 EXECUTE format(
                   'CREATE POLICY of_tenant ON %s USING ('
                   '(SELECT current_setting(''wardgate.tenant'', true)) IN (tenant_id::text, ''all''))',
                   unguarded);
               END LOOP;
             END $$",
        )
        .await?;
    if passes_by(lease).await? {
        tracing::warn!(
            "row-level security does not hold for this role of PostgreSQL, a superuser or one with BYPASSRLS: \
             the filter of each query alone keeps tenants apart; give Wardgate a role of its own"
        );
    }
    Ok(())
}

/// Whether the guard is none for this role.
async fn passes_by(lease: &Lease) -> Result<bool, StoreError> {
    let role = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    let row = lease.client().query_one(role, &[]).await.map_err(|error| store_error(&error))?;
    row.try_get(0).map_err(|error| store_error(&error))
}
