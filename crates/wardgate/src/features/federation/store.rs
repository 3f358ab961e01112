//! SQL of `upstream_providers` and `upstream_flows`.

use wardgate_crypto::Digest;
use wardgate_store::{FromRow, GlobalSql, GlobalTx, Row, Sql, StoreError, Tx, global_sql, params, sql};

use super::model::{Flow, ProviderSettings};
use crate::columns::StoredDigest;
use crate::kernel::ids::{SessionId, UserId};
use crate::kernel::time::Timestamp;

const LIST: Sql = sql!(
    "SELECT tenant_id, name, label, preset, issuer, client_id, sealed_secret, team_id, key_id, scopes, \
     links_verified_email, disabled_at, created_at FROM upstream_providers WHERE tenant_id = $1 ORDER BY name"
);
const BY_NAME: Sql = sql!(
    "SELECT tenant_id, name, label, preset, issuer, client_id, sealed_secret, team_id, key_id, scopes, \
     links_verified_email, disabled_at, created_at FROM upstream_providers WHERE tenant_id = $1 AND name = $2"
);
const INSERT: Sql = sql!(
    "INSERT INTO upstream_providers (tenant_id, name, label, preset, issuer, client_id, sealed_secret, team_id, \
     key_id, scopes, links_verified_email, disabled_at, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (tenant_id, name) DO NOTHING"
);
const UPDATE: Sql = sql!(
    "UPDATE upstream_providers SET label = $3, preset = $4, issuer = $5, client_id = $6, sealed_secret = $7, \
     team_id = $8, key_id = $9, scopes = $10, links_verified_email = $11, disabled_at = $12 \
     WHERE tenant_id = $1 AND name = $2"
);
/// Of what is sealed, that which does not begin with `$1`.
pub(super) const COUNT_BEHIND: GlobalSql =
    global_sql!("SELECT COUNT(*) FROM upstream_providers WHERE substr(sealed_secret, 1, 9) <> $1");
/// Some of the tenants that have such rows.
pub(super) const TENANTS_BEHIND: GlobalSql = global_sql!(
    "SELECT DISTINCT tenant_id FROM upstream_providers WHERE substr(sealed_secret, 1, 9) <> $1 LIMIT 1000"
);
const RESEAL: Sql = sql!(
    "UPDATE upstream_providers SET sealed_secret = $4 WHERE tenant_id = $1 AND name = $2 AND sealed_secret = $3"
);
const DELETE: Sql = sql!("DELETE FROM upstream_providers WHERE tenant_id = $1 AND name = $2");
const FORGET_PROVIDERS: Sql = sql!(
    "DELETE FROM upstream_providers WHERE tenant_id = $1 AND name IN \
     (SELECT name FROM upstream_providers WHERE tenant_id = $1 LIMIT $2)"
);
const BEGIN: Sql = sql!(
    "INSERT INTO upstream_flows (tenant_id, digest, browser, provider, next, user_id, session_id, fresh, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
/// Those beyond so many, the oldest: a stranger who begins without end pushes out what was begun longest ago.
const MAKE_ROOM: Sql = sql!(
    "DELETE FROM upstream_flows WHERE tenant_id = $1 AND digest IN \
     (SELECT digest FROM upstream_flows WHERE tenant_id = $1 ORDER BY expires_at DESC LIMIT 100 OFFSET $2)"
);
const TAKE: Sql = sql!(
    "DELETE FROM upstream_flows WHERE tenant_id = $1 AND digest = $2 AND browser = $3 AND provider = $4 \
     AND expires_at > $5 RETURNING tenant_id, next, user_id, session_id, fresh"
);
const END_ALL_OF: Sql = sql!("DELETE FROM upstream_flows WHERE tenant_id = $1 AND provider = $2");
const FORGET_FLOWS: Sql = sql!(
    "DELETE FROM upstream_flows WHERE tenant_id = $1 AND digest IN \
     (SELECT digest FROM upstream_flows WHERE tenant_id = $1 LIMIT $2)"
);
const PURGE: GlobalSql = global_sql!(
    "DELETE FROM upstream_flows WHERE (tenant_id, digest) IN \
     (SELECT tenant_id, digest FROM upstream_flows WHERE expires_at <= $1 LIMIT $2)"
);

/// A provider as it lies in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProviderRow {
    /// Without the secret.
    pub(super) settings: ProviderSettings,
    pub(super) sealed_secret: Option<Vec<u8>>,
    pub(super) disabled_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

impl FromRow for ProviderRow {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let preset: String = row.get(2)?;
        let scopes: String = row.get(8)?;
        let settings = ProviderSettings {
            name: row.get(0)?,
            label: row.get(1)?,
            preset: preset
                .parse()
                .map_err(|_| StoreError::decode("upstream_providers: an unknown preset"))?,
            issuer: row.get(3)?,
            client_id: row.get(4)?,
            client_secret: None,
            team_id: row.get(6)?,
            key_id: row.get(7)?,
            scopes: scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            links_verified_email: row.get(9)?,
        };
        Ok(Self { settings, sealed_secret: row.get(5)?, disabled_at: row.get(10)?, created_at: row.get(11)? })
    }
}

impl FromRow for Flow {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let (user, session): (Option<UserId>, Option<SessionId>) = (row.get(1)?, row.get(2)?);
        Ok(Self { next: row.get(0)?, linking: user.zip(session), fresh: row.get(3)? })
    }
}

/// By name; they are few.
pub(super) async fn list(tx: &mut Tx) -> Result<Vec<ProviderRow>, StoreError> {
    tx.all(LIST, &params![]).await
}

pub(super) async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<ProviderRow>, StoreError> {
    tx.opt(BY_NAME, &params![name]).await
}

/// Says whether this call did it: `false` when the name is taken.
pub(super) async fn insert(tx: &mut Tx, row: &ProviderRow) -> Result<bool, StoreError> {
    let ProviderRow { settings, sealed_secret, disabled_at, created_at } = row;
    let (preset, scopes) = (settings.preset.as_str(), settings.scopes.join(" "));
    let values = params![
        settings.name,
        settings.label,
        preset,
        settings.issuer,
        settings.client_id,
        sealed_secret,
        settings.team_id,
        settings.key_id,
        scopes,
        settings.links_verified_email,
        disabled_at,
        created_at
    ];
    Ok(tx.exec(INSERT, &values).await? == 1)
}

/// `false` if there is no such provider.
pub(super) async fn update(tx: &mut Tx, row: &ProviderRow) -> Result<bool, StoreError> {
    let ProviderRow { settings, sealed_secret, disabled_at, created_at: _ } = row;
    let (preset, scopes) = (settings.preset.as_str(), settings.scopes.join(" "));
    let values = params![
        settings.name,
        settings.label,
        preset,
        settings.issuer,
        settings.client_id,
        sealed_secret,
        settings.team_id,
        settings.key_id,
        scopes,
        settings.links_verified_email,
        disabled_at
    ];
    Ok(tx.exec(UPDATE, &values).await? == 1)
}

/// Replaces the sealed secret unless somebody did since it was `seen`; says whether this call did it.
pub(super) async fn reseal(tx: &mut Tx, name: &str, seen: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.exec(RESEAL, &params![name, seen, sealed]).await? == 1)
}

/// Says whether this call did it.
pub(super) async fn delete(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    Ok(tx.exec(DELETE, &params![name]).await? == 1)
}

/// Remembers a sign-in that is about to be sent to a provider, among at most `keep` others.
pub(super) async fn begin(
    tx: &mut Tx,
    state: Digest,
    browser: Digest,
    provider: &str,
    flow: &Flow,
    expires_at: Timestamp,
    keep: i64,
) -> Result<(), StoreError> {
    let (user, session) = (flow.linking.map(|(user, _)| user), flow.linking.map(|(_, session)| session));
    let (state, browser) = (StoredDigest(state), StoredDigest(browser));
    tx.exec(BEGIN, &params![state, browser, provider, flow.next, user, session, flow.fresh, expires_at])
        .await?;
    tx.exec(MAKE_ROOM, &params![keep]).await.map(drop)
}

/// Uses the flow up: of many calls at once one gets it, and only with everything that it is bound to.
pub(super) async fn take(
    tx: &mut Tx,
    state: Digest,
    browser: Digest,
    provider: &str,
    now: Timestamp,
) -> Result<Option<Flow>, StoreError> {
    tx.opt(TAKE, &params![StoredDigest(state), StoredDigest(browser), provider, now]).await
}

/// Ends what is under way through this provider.
pub(super) async fn end_all_of(tx: &mut Tx, provider: &str) -> Result<(), StoreError> {
    tx.exec(END_ALL_OF, &params![provider]).await.map(drop)
}

/// Removes up to `limit` flows that ended before `now`; how many.
pub(super) async fn purge(tx: &mut GlobalTx, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.exec(PURGE, &params![now, limit]).await
}

/// Ends up to `limit` of what is under way in the tenant; how many.
pub(super) async fn end_flows(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    tx.exec(FORGET_FLOWS, &params![limit]).await
}

/// Removes up to `limit` rows of either table of the tenant, as when it goes; how many.
pub(super) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    Ok(end_flows(tx, limit).await? + tx.exec(FORGET_PROVIDERS, &params![limit]).await?)
}
