//! Refusals by limits and bad tokens, gathered until they are written down: one record for each source, kind and
//! minute, or a stranger would fill the disk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::features::audit::Action;
use crate::kernel::ids::TenantId;
use crate::kernel::source::Source;

/// Kinds gathered at most; what comes beyond is counted without its source.
const MAX_KINDS: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    tenant: TenantId,
    action: &'static str,
    target: &'static str,
    network: Option<IpAddr>,
}

/// Refusals of one kind.
pub(super) struct Tally {
    pub(super) tenant: TenantId,
    pub(super) action: Action,
    pub(super) target: &'static str,
    /// The network of all of them, and the request id of the first.
    pub(super) source: Source,
    pub(super) count: i64,
}

/// What was refused since it was last written down.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<Kind, Tally>>);

impl Refusals {
    pub(super) fn note(&self, tenant: TenantId, action: Action, target: &'static str, source: &Source) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = Kind { tenant, action: action.as_str(), target, network: source.network() };
        if tallies.len() >= MAX_KINDS && !tallies.contains_key(&kind) {
            kind.network = None;
        }
        let tally = tallies.entry(kind).or_insert_with(|| {
            let source = Source {
                address: kind.network,
                user_agent: None,
                language: source.language,
                request_id: source.request_id,
            };
            Tally { tenant, action, target, source, count: 0 }
        });
        tally.count += 1;
    }

    /// Hands out what was gathered, and begins anew.
    pub(super) fn take(&self) -> Vec<Tally> {
        let tallies = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        tallies.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::RequestId;
    use crate::kernel::time::Timestamp;

    fn note(refusals: &Refusals, address: u32) {
        let request_id = RequestId::new(Timestamp::from_millis(0), [0; 10]);
        let source = Source {
            address: Some(IpAddr::V4(address.into())),
            user_agent: None,
            language: Default::default(),
            request_id,
        };
        refusals.note(TenantId::DEFAULT, Action::RateLimited, "sign_in_source", &source);
    }

    #[test]
    fn a_flood_from_everywhere_stays_bounded_and_is_counted_whole() {
        let refusals = Refusals::default();
        for address in 0..12_000 {
            note(&refusals, address);
        }
        note(&refusals, 5);
        let tallies = refusals.take();
        assert_eq!(tallies.len(), MAX_KINDS + 1);
        assert_eq!(tallies.iter().map(|tally| tally.count).sum::<i64>(), 12_001);
        assert!(tallies.iter().any(|tally| tally.source.address.is_none() && tally.count == 2000));
        assert!(refusals.take().is_empty());
    }
}
