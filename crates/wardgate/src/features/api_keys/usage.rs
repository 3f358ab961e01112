//! Uses of keys that are not in the table yet. Written in batches, so that no request waits for a write.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::model::{ApiKey, Period, Quota};
use crate::kernel::ids::{ApiKeyId, TenantId};
use crate::kernel::time::Timestamp;

/// Which key, of which tenant.
pub(super) type Used = (TenantId, ApiKeyId);

/// What one key was used for since the last flush.
#[derive(Debug, Clone)]
pub(super) struct Uses {
    pub(super) at: Timestamp,
    pub(super) address: Option<IpAddr>,
    /// The period that the count is of, and when it began, for a key with a quota.
    pub(super) of: Option<(Period, Timestamp)>,
    pub(super) count: u64,
}

/// All keys' uses since the last flush. As large as the number of keys used within a second.
#[derive(Default)]
pub(super) struct Usage(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    waiting: HashMap<Used, Uses>,
    /// What is being written: not in the table yet as far as a check can tell, so it counts until it is.
    writing: HashMap<Used, Uses>,
}

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
        let of = key.quota.map(|Quota { period, .. }| (period, period.around(now).0));
        let mut counts = self.lock();
        let Counts { waiting, writing } = &mut *counts;
        let written_next = writing.get(&(tenant, key.id)).filter(|uses| uses.of == of);
        let uses = waiting.entry((tenant, key.id)).or_insert(Uses { at: now, address, of, count: 0 });
        if uses.of != of {
            (uses.of, uses.count) = (of, 0);
        }
        key.check_quota(uses.count + written_next.map_or(0, |uses| uses.count), now)?;
        (uses.at, uses.address) = (now, address);
        uses.count += 1;
        Ok(())
    }

    /// Takes everything out, to be written; [`written`](Self::written) or [`put_back`](Self::put_back) ends that.
    pub(super) fn take(&self) -> Vec<(Used, Uses)> {
        let mut counts = self.lock();
        let mut taken = std::mem::take(&mut counts.waiting);
        taken.retain(|_, uses| uses.count > 0);
        counts.writing = taken.clone();
        taken.into_iter().collect()
    }

    /// Everything that was taken is in the table.
    pub(super) fn written(&self) {
        self.lock().writing.clear();
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, uses: Vec<(Used, Uses)>) {
        let mut counts = self.lock();
        counts.writing.clear();
        for (key, old) in uses {
            match counts.waiting.get_mut(&key) {
                Some(newer) if newer.of == old.of => newer.count += old.count,
                Some(_) => {}
                None => drop(counts.waiting.insert(key, old)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
