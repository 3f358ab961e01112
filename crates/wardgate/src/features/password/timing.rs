//! What checking a hash costs by its scheme, so that the time of a refusal does not tell which scheme an account has
//! (S-012).

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use wardgate_crypto::password::{self, Password};

use super::service::Passwords;
use super::store;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{RequestId, TenantId};
use crate::kernel::language::Language;
use crate::kernel::source::Source;

/// Schemes measured at most; real databases have two or three.
const MAX_SCHEMES: usize = 32;

/// What is known of schemes besides the configured one. With one scheme there is nothing to tell apart.
#[derive(Default)]
pub(super) struct Costs {
    /// What one check of each costs, by the scheme's label; the configured one among them.
    checks: HashMap<String, Duration>,
    /// The labels in use, of tenants that have others than the configured one.
    in_use: HashMap<TenantId, HashSet<String>>,
}

impl Costs {
    /// What the tenant's slowest scheme takes; nothing where all its accounts have the configured one.
    fn slowest(&self, tenant: TenantId) -> Duration {
        let labels = self.in_use.get(&tenant).into_iter().flatten();
        labels.filter_map(|label| self.checks.get(label)).max().copied().unwrap_or_default()
    }

    /// Takes the labels in use as they are now, and forgets what no tenant has any more.
    fn set_in_use(&mut self, tenant: TenantId, labels: HashSet<String>, configured: &str) {
        if labels.iter().all(|label| label == configured) {
            self.in_use.remove(&tenant);
        } else {
            self.in_use.insert(tenant, labels);
        }
        let Self { checks, in_use } = self;
        checks.retain(|label, _| in_use.values().any(|labels| labels.contains(label)));
    }

    fn note(&mut self, label: String, took: Duration) {
        if self.checks.len() < MAX_SCHEMES || self.checks.contains_key(&label) {
            // The least ever measured: waiting for a core is not the scheme's cost.
            self.checks.entry(label).and_modify(|cost| *cost = (*cost).min(took)).or_insert(took);
        }
    }
}

impl Passwords {
    /// Holds a refusal back until the tenant's slowest scheme would have answered, by a timer: while accounts of
    /// another scheme remain, the time must not tell which scheme an account has, or whether it exists (S-012). The
    /// decoy is of the configured scheme, which is one for all tenants.
    pub(super) async fn settle(&self, tenant: TenantId, stored: &str, took: Duration) {
        let slowest = {
            let mut costs = self.costs();
            costs.note(password::scheme_label(stored), took);
            costs.slowest(tenant)
        };
        if let Some(rest) = slowest.checked_sub(took) {
            tokio::time::sleep(rest).await;
        }
    }

    /// Measures each scheme that the tenant's accounts have once, so that [`settle`](Self::settle) knows the slowest
    /// before anybody fails with it.
    pub(crate) async fn calibrate(&self, tenant: TenantId) -> Result<(), AuthError> {
        let samples = self.samples(tenant).await?;
        let labels = samples.iter().map(|sample| sample.scheme.clone()).collect();
        self.costs().set_in_use(tenant, labels, &self.settings.scheme.label());
        if !self.costs().in_use.contains_key(&tenant) {
            return Ok(());
        }
        for sample in samples {
            if self.costs().checks.contains_key(&sample.scheme) {
                continue;
            }
            let checked =
                self.check(Password::new("calibration"), sample.hash.into(), &self.own_source()).await?;
            self.costs().note(sample.scheme, checked.took);
        }
        Ok(())
    }

    async fn samples(&self, tenant: TenantId) -> Result<Vec<store::SchemeSample>, AuthError> {
        self.env
            .db
            .read(tenant.into(), (), |tx, ()| {
                Box::pin(async move {
                    let mut samples: Vec<store::SchemeSample> = Vec::new();
                    while samples.len() < MAX_SCHEMES {
                        let after = samples.last().map_or("", |sample| sample.scheme.as_str());
                        match store::next_scheme(tx, after).await? {
                            Some(sample) => samples.push(sample),
                            None => break,
                        }
                    }
                    Ok(samples)
                })
            })
            .await
    }

    fn own_source(&self) -> Source {
        let request_id = RequestId::new(self.env.now(), self.env.random());
        Source { address: None, user_agent: None, language: Language::default(), request_id }
    }

    fn costs(&self) -> MutexGuard<'_, Costs> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
