//! Uses of keys that are not in the table yet. Written in batches, so that no request waits for a write.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::model::{ApiKey, Quota};
use crate::kernel::ids::{ApiKeyId, TenantId};
use crate::kernel::time::Timestamp;

/// Which key, of which tenant.
pub(super) type Used = (TenantId, ApiKeyId);

/// What one key was used for since the last flush.
#[derive(Debug, Clone)]
pub(super) struct Uses {
    pub(super) at: Timestamp,
    pub(super) address: Option<IpAddr>,
    /// The period that the count is of, for a key with a quota.
    pub(super) since: Option<Timestamp>,
    pub(super) count: u64,
}

/// All keys' uses since the last flush. As large as the number of keys used within a second.
#[derive(Default)]
pub(super) struct Usage(Mutex<HashMap<Used, Uses>>);

impl Usage {
    /// Counts one use, unless the key's quota is used up: checked and counted under one lock, so that no number of
    /// requests at once gets past it. `Err` says when there is more.
    pub(super) fn count(
        &self,
        tenant: TenantId,
        key: &ApiKey,
        now: Timestamp,
        address: Option<IpAddr>,
    ) -> Result<(), Duration> {
        let since = key.quota.map(|Quota { period, .. }| period.around(now).0);
        let mut all = self.lock();
        let uses = all.entry((tenant, key.id)).or_insert(Uses { at: now, address, since, count: 0 });
        if uses.since != since {
            (uses.since, uses.count) = (since, 0);
        }
        key.check_quota(uses.count, now)?;
        (uses.at, uses.address) = (now, address);
        uses.count += 1;
        Ok(())
    }

    /// Takes everything out, to be written.
    pub(super) fn take(&self) -> Vec<(Used, Uses)> {
        std::mem::take(&mut *self.lock()).into_iter().filter(|(_, uses)| uses.count > 0).collect()
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, uses: Vec<(Used, Uses)>) {
        let mut all = self.lock();
        for (key, old) in uses {
            match all.get_mut(&key) {
                Some(newer) if newer.since == old.since => newer.count += old.count,
                Some(_) => {}
                None => drop(all.insert(key, old)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Used, Uses>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
