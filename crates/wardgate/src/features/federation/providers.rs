//! The providers that a tenant's administrators set up.

use std::time::Duration;

use wardgate_store::{BoxFuture, GlobalSql, Tx};

use super::model::{ClientSecret, ProviderSettings, StoredProvider, is_name};
use super::service::Federation;
use super::store::{self, ProviderRow};
use super::ways::{Way, superadmin_remains};
use crate::features::audit::{self, Action, Entry};
use crate::features::instance::{Resealing, SealedRows};
use crate::features::roles::{Authority, Caller, Limit};
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::TenantId;

/// What client secrets are sealed for.
const PURPOSE: &str = "wardgate upstream client secret";

/// The most providers that a tenant has.
const MAX_PROVIDERS: usize = 20;

/// What is to become of a provider; what is `None` stays, and `Some(None)` takes away.
#[derive(Debug, Clone, Default)]
pub struct ProviderChange {
    /// What people see.
    pub label: Option<String>,
    /// Its issuer.
    pub issuer: Option<Option<String>>,
    /// The client that was registered there.
    pub client_id: Option<String>,
    /// That client's secret.
    pub client_secret: Option<Option<ClientSecret>>,
    /// Apple only: the developer team.
    pub team_id: Option<Option<String>>,
    /// Apple only: what Apple calls the key.
    pub key_id: Option<Option<String>>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// Whether proven addresses lead to accounts.
    pub links_verified_email: Option<bool>,
    /// Whether people can sign in through it.
    pub is_active: Option<bool>,
}

impl Federation {
    /// All that administrators set up, by name.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<StoredProvider>, AuthError> {
        Ok(self.rows(tenant).await?.into_iter().map(StoredProvider::from).collect())
    }

    /// One of them, or [`AuthError::NotFound`].
    pub async fn get(&self, tenant: TenantId, name: &str) -> Result<StoredProvider, AuthError> {
        self.row(tenant, name).await.map(StoredProvider::from)
    }

    async fn row(&self, tenant: TenantId, name: &str) -> Result<ProviderRow, AuthError> {
        if !is_name(name) {
            return Err(AuthError::NotFound);
        }
        let found = self.env.db.read(tenant.into(), name.to_owned(), |tx, name| {
            Box::pin(async move { store::by_name(tx, name).await?.ok_or(AuthError::NotFound) })
        });
        found.await
    }

    /// Sets a provider up; the secret is sealed and never shown again.
    ///
    /// # Errors
    /// [`AuthError::InvalidFields`]; [`AuthError::ProviderExists`], also for a name that the configuration has;
    /// [`AuthError::TooManyProviders`]; [`AuthError::InsufficientPermissions`] to let it lead to accounts that are
    /// there for somebody who does not rule the tenant.
    pub async fn create(
        &self,
        tenant: TenantId,
        settings: ProviderSettings,
        caller: &Caller,
    ) -> Result<StoredProvider, AuthError> {
        self.admit(&settings, &caller.authority)?;
        if self.configured_of(tenant).iter().any(|each| each.name == settings.name) {
            return Err(AuthError::ProviderExists);
        }
        let target = format!("provider:{}", settings.name);
        let entry = self.audit.done(&caller.source, caller.actor, Action::ProviderCreated, target);
        let row = ProviderRow {
            sealed_secret: self.sealed(tenant, &settings)?,
            settings: ProviderSettings { client_secret: None, ..settings },
            disabled_at: None,
            created_at: self.env.now(),
        };
        let made = self.env.db.write(tenant.into(), (row, entry), |tx, (row, entry)| {
            Box::pin(async move {
                tx.lock("upstream_providers").await?;
                if store::list(tx).await?.len() >= MAX_PROVIDERS {
                    return Err(AuthError::TooManyProviders);
                }
                if !store::insert(tx, row).await? {
                    return Err(AuthError::ProviderExists);
                }
                audit::record(tx, entry).await?;
                Ok(StoredProvider::from(row.clone()))
            })
        });
        made.await
    }

    /// Changes a provider. What is under way through it ends.
    ///
    /// The secret has to be given anew with another issuer or client: else whoever may change the provider could have
    /// it sent to a place of their own.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`AuthError::NotFound`]; [`AuthError::LastSuperadmin`] where nobody else could
    /// sign in who is one.
    pub async fn update(
        &self,
        tenant: TenantId,
        name: &str,
        change: ProviderChange,
        caller: &Caller,
    ) -> Result<StoredProvider, AuthError> {
        // Whoever reads what another change is just replacing decides again.
        for _ in 0..3 {
            if let Some(changed) = self.try_update(tenant, name, change.clone(), caller).await? {
                return Ok(changed);
            }
        }
        Err(AuthError::Busy { retry_after: Duration::from_secs(1) })
    }

    async fn try_update(
        &self,
        tenant: TenantId,
        name: &str,
        change: ProviderChange,
        caller: &Caller,
    ) -> Result<Option<StoredProvider>, AuthError> {
        let before = self.row(tenant, name).await?;
        let moves = change.issuer.as_ref().is_some_and(|issuer| *issuer != before.settings.issuer)
            || change.client_id.as_ref().is_some_and(|id| *id != before.settings.client_id)
            || change.team_id.as_ref().is_some_and(|id| *id != before.settings.team_id);
        if moves && before.sealed_secret.is_some() && change.client_secret.is_none() {
            let detail = "is needed with another issuer, client_id or team_id";
            return Err(AuthError::field("client_secret", "missing_field", detail));
        }
        let disabled_at = match change.is_active {
            Some(true) => None,
            Some(false) => before.disabled_at.or(Some(self.env.now())),
            None => before.disabled_at,
        };
        let settings = apply(change, self.unsealed(tenant, &before)?);
        self.admit(&settings, &caller.authority)?;
        let target = format!("provider:{name}");
        let entry = self.audit.done(&caller.source, caller.actor, Action::ProviderUpdated, target);
        let row = ProviderRow {
            sealed_secret: self.sealed(tenant, &settings)?,
            settings: ProviderSettings { client_secret: None, ..settings },
            disabled_at,
            created_at: before.created_at,
        };
        let input = (before, row, self.configured_ways(tenant), entry);
        let changed = self.env.db.write(tenant.into(), input, |tx, (before, row, ways, entry)| {
            Box::pin(update(tx, before, row, ways, entry))
        });
        changed.await
    }

    /// Removes a provider. Its links stay, for another time that it is set up.
    ///
    /// # Errors
    /// [`AuthError::NotFound`]; [`AuthError::LastSuperadmin`].
    pub async fn delete(&self, tenant: TenantId, name: &str, caller: &Caller) -> Result<(), AuthError> {
        if !is_name(name) {
            return Err(AuthError::NotFound);
        }
        let target = format!("provider:{name}");
        let entry = self.audit.done(&caller.source, caller.actor, Action::ProviderDeleted, target);
        let input = (name.to_owned(), self.configured_ways(tenant), entry);
        let deleted = self.env.db.write(tenant.into(), input, |tx, (name, ways, entry)| {
            Box::pin(async move {
                let remained = superadmin_remains(tx, None, ways).await?;
                if !store::delete(tx, name).await? {
                    return Err(AuthError::NotFound);
                }
                keep_a_superadmin(tx, remained, ways).await?;
                store::end_all_of(tx, name).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        deleted.await
    }

    /// Whoever decides who signs in as whom by their address must be above them all (S-105).
    fn admit(&self, settings: &ProviderSettings, authority: &Authority) -> Result<(), AuthError> {
        let mut faults = settings.check();
        if faults.is_empty()
            && let Err(error) = self.connector.build(settings.clone())
        {
            faults.push(FieldFault::new("client_secret", "invalid_secret", error.to_string()));
        }
        if !faults.is_empty() {
            return Err(AuthError::InvalidFields(faults));
        }
        let rules = match authority {
            Authority::Operator => true,
            Authority::Holder(rights) => rights.roles.satisfy("admin") && rights.limit == Limit::Nothing,
        };
        if settings.links_verified_email && !rules {
            return Err(AuthError::InsufficientPermissions);
        }
        Ok(())
    }

    fn sealed(&self, tenant: TenantId, settings: &ProviderSettings) -> Result<Option<Vec<u8>>, AuthError> {
        let Some(secret) = &settings.client_secret else { return Ok(None) };
        let (context, rng) = (seal_context(tenant, settings), self.env.rng.as_ref());
        let sealed = self.master.seal(PURPOSE, &context, secret.expose().as_bytes(), rng);
        sealed.map(Some).map_err(|error| AuthError::internal("seal a client secret", error))
    }

    /// The settings with their secret.
    pub(super) fn unsealed(
        &self,
        tenant: TenantId,
        row: &ProviderRow,
    ) -> Result<ProviderSettings, AuthError> {
        let mut settings = row.settings.clone();
        if let Some(sealed) = &row.sealed_secret {
            let secret = self.master.open(PURPOSE, &seal_context(tenant, &settings), sealed);
            let secret = secret.map_err(|error| AuthError::internal("open a client secret", error))?;
            let secret = std::str::from_utf8(&secret);
            let secret = secret.map_err(|error| AuthError::internal("read a client secret", error))?;
            settings.client_secret = Some(ClientSecret::new(secret));
        }
        Ok(settings)
    }
}

impl SealedRows for Federation {
    const NAME: &str = "client secrets";
    const COUNT_BEHIND: GlobalSql = store::COUNT_BEHIND;
    const TENANTS_BEHIND: GlobalSql = store::TENANTS_BEHIND;

    fn reseal<'t>(tx: &'t mut Tx, under: &'t Resealing) -> BoxFuture<'t, Result<u64, AuthError>> {
        Box::pin(reseal(tx, under))
    }
}

async fn reseal(tx: &mut Tx, under: &Resealing) -> Result<u64, AuthError> {
    let mut resealed = 0;
    for row in store::list(tx).await? {
        let behind = row.sealed_secret.as_ref().filter(|sealed| !sealed.starts_with(&under.mark));
        let Some(sealed) = behind else { continue };
        let anew = under.seal(PURPOSE, &seal_context(under.tenant, &row.settings), sealed)?;
        resealed += u64::from(store::reseal(tx, &row.settings.name, sealed, &anew).await?);
    }
    Ok(resealed)
}

async fn update(
    tx: &mut Tx,
    before: &ProviderRow,
    row: &ProviderRow,
    ways: &[Way],
    entry: &Entry,
) -> Result<Option<StoredProvider>, AuthError> {
    tx.lock("upstream_providers").await?;
    // Of two changes at once the second would undo the first.
    if store::by_name(tx, &row.settings.name).await?.as_ref() != Some(before) {
        return Ok(None);
    }
    let remained = superadmin_remains(tx, None, ways).await?;
    store::update(tx, row).await?;
    keep_a_superadmin(tx, remained, ways).await?;
    store::end_all_of(tx, &row.settings.name).await?;
    audit::record(tx, entry).await?;
    Ok(Some(StoredProvider::from(row.clone())))
}

/// Refuses what took the last superadmin's way in: nobody could give it back over HTTP (S-105).
async fn keep_a_superadmin(tx: &mut Tx, remained: bool, ways: &[Way]) -> Result<(), AuthError> {
    if remained && !superadmin_remains(tx, None, ways).await? {
        return Err(AuthError::LastSuperadmin);
    }
    Ok(())
}

fn apply(change: ProviderChange, mut settings: ProviderSettings) -> ProviderSettings {
    let ProviderChange {
        label,
        issuer,
        client_id,
        client_secret,
        team_id,
        key_id,
        scopes,
        links_verified_email,
        is_active: _,
    } = change;
    settings.label = label.unwrap_or(settings.label);
    settings.issuer = issuer.unwrap_or(settings.issuer);
    settings.client_id = client_id.unwrap_or(settings.client_id);
    settings.client_secret = client_secret.unwrap_or(settings.client_secret);
    settings.team_id = team_id.unwrap_or(settings.team_id);
    settings.key_id = key_id.unwrap_or(settings.key_id);
    settings.scopes = scopes.unwrap_or(settings.scopes);
    settings.links_verified_email = links_verified_email.unwrap_or(settings.links_verified_email);
    settings
}

/// Binds a sealed secret to where it is sent to: in another row, or with another issuer, it does not open.
fn seal_context(tenant: TenantId, settings: &ProviderSettings) -> Vec<u8> {
    let ProviderSettings { name, preset, client_id, .. } = settings;
    let parts = [&tenant.to_string(), name, preset.as_str(), settings.issuer(), client_id];
    parts.map(|part| format!("{}:{part}", part.len())).join("/").into_bytes()
}

impl From<ProviderRow> for StoredProvider {
    fn from(row: ProviderRow) -> Self {
        let ProviderRow { settings, sealed_secret, disabled_at, created_at } = row;
        Self { settings, has_secret: sealed_secret.is_some(), disabled_at, created_at }
    }
}
