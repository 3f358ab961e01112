//! When signing keys come and go: the schedule, a rotation by hand, an emergency.

use std::collections::HashMap;
use std::sync::Arc;

use wardgate_crypto::SigningKey;
use wardgate_store::{StoreError, Tx};
use wardgate_verify::Algorithm;

use super::model::{OpenKey, PUBLISH_AHEAD, Schedule, plan};
use super::service::Keys;
use super::store::{self, KeyRow};
use crate::features::audit::{self, Action, Actor, Audit};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

impl Keys {
    /// Does what is due for the tenant's keys: makes the first one, publishes a successor, retires the outlived.
    ///
    /// Safe to call from many nodes at once: they make one key set (S-142).
    pub async fn maintain(&self, tenant: TenantId, source: &Source) -> Result<(), AuthError> {
        let open = self.open_rows(tenant).await?;
        let plan = plan(&self.planning_view(tenant, &open)?, self.schedule(tenant), self.env.now());
        if plan.make.is_none() && plan.retire.is_empty() {
            return Ok(());
        }
        let candidate = match plan.make {
            Some(_) => Some(self.generate(tenant).await?),
            None => None,
        };
        self.apply(tenant, candidate, source).await
    }

    /// Decides again under the lock, so that of two nodes with a candidate each only one inserts it.
    async fn apply(
        &self,
        tenant: TenantId,
        candidate: Option<SigningKey>,
        source: &Source,
    ) -> Result<(), AuthError> {
        let now = self.env.now();
        let input = ApplyInput {
            candidate: candidate.map(|key| self.row(tenant, &key, now, now)).transpose()?,
            configured: self.configured_marks(tenant).await?,
            schedule: self.schedule(tenant),
            now,
            audit: Arc::clone(&self.audit),
            source: source.clone(),
        };
        self.env.db.write(tenant.into(), input, |tx, input| Box::pin(apply_plan(tx, input))).await?;
        self.reload(tenant).await
    }

    /// Publishes a successor that takes over in an hour. [`AuthError::InvalidFields`] under HS256, whose
    /// secret only the operator can change.
    pub async fn rotate(&self, tenant: TenantId, actor: Actor, source: &Source) -> Result<String, AuthError> {
        if self.algorithm_of(tenant) == Algorithm::Hs256 {
            return Err(AuthError::field(
                "algorithm",
                "shared_secret",
                "HS256 signs with a secret that you share with your services: write a new one into \
                 tokens.hs256_secret_file, give it to them, and restart",
            ));
        }
        self.refuse_another_algorithm(tenant).await?;
        let now = self.env.now();
        let key = self.generate(tenant).await?;
        let row = self.row(tenant, &key, now, now.plus(PUBLISH_AHEAD))?;
        let kid = row.kid.clone();
        let made = self.audit.done(source, actor, Action::KeyCreated, &kid);
        self.env
            .db
            .write(tenant.into(), (row, made), |tx, (row, made)| {
                Box::pin(async move {
                    store::insert(tx, row).await?;
                    audit::record(tx, made).await?;
                    Ok::<_, AuthError>(())
                })
            })
            .await?;
        self.reload(tenant).await?;
        Ok(kid)
    }

    /// Withdraws a key at once: its tokens are refused from the next request on. If it was the one that
    /// signs, a new one takes its place in the same transaction.
    pub async fn retire_now(
        &self,
        tenant: TenantId,
        kid: &str,
        actor: Actor,
        source: &Source,
    ) -> Result<(), AuthError> {
        self.refuse_another_algorithm(tenant).await?;
        let now = self.env.now();
        let spare = self.generate(tenant).await?;
        let spare_row = self.row(tenant, &spare, now, now)?;
        let retired = self.audit.done(source, actor, Action::KeyRetired, kid);
        let made = self.audit.done(source, actor, Action::KeyCreated, &spare_row.kid);
        self.env
            .db
            .write(tenant.into(), (kid.to_owned(), spare_row, retired, made, now), |tx, input| {
                Box::pin(async move {
                    let (kid, spare, retired, made, now) = input;
                    tx.lock("signing_keys").await?;
                    if !store::retire(tx, kid, *now).await? {
                        return Err(AuthError::NotFound);
                    }
                    audit::record(tx, retired).await?;
                    if store::signing(tx, *now).await?.is_none() {
                        store::insert(tx, spare).await?;
                        audit::record(tx, made).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.reload(tenant).await
    }

    /// A command whose configuration is not the server's would publish a key that the server replaces at once, and
    /// that verifiers may not know what to do with.
    async fn refuse_another_algorithm(&self, tenant: TenantId) -> Result<(), AuthError> {
        let now = self.env.now();
        let rows = self.open_rows(tenant).await?;
        let newest = rows.iter().filter(|row| row.activates_at <= now).max_by_key(|row| row.activates_at);
        match newest {
            Some(row) if row.algorithm != self.algorithm_of(tenant).as_str() => Err(AuthError::field(
                "algorithm",
                "differs",
                format!(
                    "tokens are signed with {}, but the configuration read here says {}: give the server's own \
                     configuration, with a tokens.hs256_secret_file that can be read where it names one",
                    row.algorithm,
                    self.algorithm_of(tenant).as_str()
                ),
            )),
            _ => Ok(()),
        }
    }

    fn schedule(&self, tenant: TenantId) -> Schedule {
        Schedule {
            rotation: self.settings.rotation,
            token_life: self.settings.token_life,
            shared_secret: self.algorithm_of(tenant) == Algorithm::Hs256,
        }
    }

    fn planning_view(&self, tenant: TenantId, rows: &[KeyRow]) -> Result<Vec<OpenKey>, AuthError> {
        rows.iter()
            .map(|row| {
                let as_configured = self.is_as_configured(tenant, row)?;
                Ok(OpenKey { kid: row.kid.clone(), as_configured, activates_at: row.activates_at })
            })
            .collect()
    }

    async fn configured_marks(&self, tenant: TenantId) -> Result<HashMap<String, bool>, AuthError> {
        let rows = self.open_rows(tenant).await?;
        rows.iter().map(|row| Ok((row.kid.clone(), self.is_as_configured(tenant, row)?))).collect()
    }

    fn is_as_configured(&self, tenant: TenantId, row: &KeyRow) -> Result<bool, AuthError> {
        if row.algorithm != self.algorithm_of(tenant).as_str() {
            return Ok(false);
        }
        match &self.settings.hs256_secret {
            Some(secret) if tenant == TenantId::DEFAULT => {
                let stored = self.unseal(tenant, row)?;
                Ok(bool::from(subtle::ConstantTimeEq::ct_eq(stored.as_slice(), secret.as_slice())))
            }
            _ => Ok(true),
        }
    }
}

struct ApplyInput {
    candidate: Option<KeyRow>,
    configured: HashMap<String, bool>,
    schedule: Schedule,
    now: Timestamp,
    audit: Arc<Audit>,
    source: Source,
}

async fn apply_plan(tx: &mut Tx, input: &ApplyInput) -> Result<(), AuthError> {
    tx.lock("signing_keys").await?;
    let due = plan(&open_keys(tx, &input.configured).await?, input.schedule, input.now);
    if let (Some(activates_at), Some(candidate)) = (due.make, &input.candidate) {
        store::insert(tx, &candidate.activating(activates_at)).await?;
        let made = input.audit.done(&input.source, Actor::System, Action::KeyCreated, &candidate.kid);
        audit::record(tx, &made).await?;
    }
    for kid in &due.retire {
        store::retire(tx, kid, input.now).await?;
        let retired = input.audit.done(&input.source, Actor::System, Action::KeyRetired, kid);
        audit::record(tx, &retired).await?;
    }
    Ok(())
}

async fn open_keys(tx: &mut Tx, configured: &HashMap<String, bool>) -> Result<Vec<OpenKey>, StoreError> {
    let as_planned = |row: KeyRow| OpenKey {
        // A key that appeared meanwhile was made by a node that had the same reason.
        as_configured: configured.get(&row.kid).copied().unwrap_or(true),
        kid: row.kid,
        activates_at: row.activates_at,
    };
    Ok(store::list_open(tx).await?.into_iter().map(as_planned).collect())
}

impl KeyRow {
    fn activating(&self, at: Timestamp) -> Self {
        Self {
            kid: self.kid.clone(),
            algorithm: self.algorithm.clone(),
            sealed_secret: self.sealed_secret.clone(),
            created_at: self.created_at,
            activates_at: at,
            retired_at: None,
        }
    }
}
