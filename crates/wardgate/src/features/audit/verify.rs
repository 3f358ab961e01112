//! Looks through the chain, and names the first record that does not hold (S-133).

use std::sync::Arc;
use std::time::Duration;

use wardgate_store::Tx;

use super::chain::Chain;
use super::model::{AuditCheck, AuditEvent, BrokenRecord, ChainFault, Link, Place, PlaceKind, SealedEvent};
use super::seal::BATCH;
use super::store;
use crate::environment::Environment;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// How long a record may wait for its place.
const PATIENCE: Duration = Duration::from_secs(60);

/// One state of the database: both ends of the chain, and the part of it that is looked at.
struct Snapshot {
    start: Option<Place>,
    head: Option<Place>,
    part: Vec<SealedEvent>,
    unsealed: Option<AuditEvent>,
}

/// One page more than what is seen again of the page before.
const PAGE: i64 = BATCH + 1;

async fn snapshot(tx: &mut Tx, from: i64) -> Result<Snapshot, AuthError> {
    Ok(Snapshot {
        start: store::place(tx, PlaceKind::Start).await?,
        head: store::place(tx, PlaceKind::Head).await?,
        part: store::list_sealed(tx, from, PAGE).await?,
        unsealed: store::list_unsealed(tx, 1).await?.pop(),
    })
}

/// Goes through the whole chain, a page at a time, while others write, seal and remove; `progress` gets the number
/// reached and the last one.
pub(super) async fn verify(
    env: &Environment,
    chain: &Arc<Chain>,
    tenant: TenantId,
    mut progress: impl FnMut(i64, i64) + Send,
) -> Result<AuditCheck, AuthError> {
    let mut walk = Walk::new(chain, tenant);
    loop {
        // From the last record seen, that one again: another one of its number would else hide between two pages.
        let from = if walk.records == 0 { i64::MIN } else { walk.last.seq };
        let body = env.db.read(tenant.into(), from, |tx, from| Box::pin(snapshot(tx, *from)));
        let seen = body.await?;
        let is_last = (seen.part.len() as i64) < PAGE;
        let end = seen.head.as_ref().map_or(0, |head| head.seq);
        let mut broken = walk.page(&seen).err();
        if broken.is_none() && is_last {
            broken = walk.end(&seen).err().or_else(|| waits(&seen, env));
        }
        progress(walk.last.seq, end);
        if broken.is_some() || is_last {
            return Ok(walk.result(broken));
        }
    }
}

fn waits(seen: &Snapshot, env: &Environment) -> Option<BrokenRecord> {
    let event = seen.unsealed.as_ref()?;
    let waits = env.now().since(event.at) > PATIENCE;
    waits.then_some(BrokenRecord { seq: None, id: Some(event.id), fault: ChainFault::Unsealed })
}

struct Walk<'a> {
    chain: &'a Chain,
    tenant: TenantId,
    last: Link,
    removed_to: i64,
    records: u64,
    erased: u64,
}

impl<'a> Walk<'a> {
    fn new(chain: &'a Chain, tenant: TenantId) -> Self {
        Self { chain, tenant, last: chain.origin(tenant), removed_to: 0, records: 0, erased: 0 }
    }

    fn page(&mut self, seen: &Snapshot) -> Result<(), BrokenRecord> {
        self.begin(seen)?;
        let mut part = seen.part.as_slice();
        if self.records > 0
            && let [again, rest @ ..] = part
            && again.seq == self.last.seq
            && again.mac.as_deref() == Some(self.last.mac.as_slice())
        {
            part = rest;
        }
        part.iter().try_for_each(|sealed| self.step(sealed))
    }

    /// Retention may remove what is ahead of us; then the chain goes on behind the place that it has signed.
    fn begin(&mut self, seen: &Snapshot) -> Result<(), BrokenRecord> {
        let Some(place) = &seen.start else { return Ok(()) };
        let forged = BrokenRecord { seq: Some(place.seq), id: None, fault: ChainFault::Start };
        let start = self.chain.read(self.tenant, PlaceKind::Start, place).ok_or(forged)?;
        self.removed_to = start.seq;
        if start.seq > self.last.seq {
            self.last = start;
        }
        Ok(())
    }

    fn step(&mut self, sealed: &SealedEvent) -> Result<(), BrokenRecord> {
        let due = self.last.seq + 1;
        if sealed.seq > due {
            return Err(BrokenRecord { seq: Some(due), id: None, fault: ChainFault::Missing });
        }
        let broken = |fault| BrokenRecord { seq: Some(sealed.seq), id: Some(sealed.event.id), fault };
        if sealed.seq < due {
            return Err(broken(ChainFault::Foreign));
        }
        let verified = self.chain.verify(self.tenant, &self.last, sealed);
        let verified = verified.ok_or_else(|| broken(ChainFault::Changed))?;
        self.last = verified.link;
        self.records += 1;
        self.erased += u64::from(verified.erased);
        Ok(())
    }

    /// Whether the chain ends where it was signed to end.
    fn end(&self, seen: &Snapshot) -> Result<(), BrokenRecord> {
        let head = match &seen.head {
            // A log in which nothing was sealed yet has no end.
            None if self.last == self.chain.origin(self.tenant) => return Ok(()),
            None => None,
            Some(place) => self.chain.read(self.tenant, PlaceKind::Head, place),
        };
        let Some(head) = head else {
            return Err(BrokenRecord { seq: Some(self.last.seq), id: None, fault: ChainFault::Head });
        };
        let due = BrokenRecord { seq: Some(self.last.seq + 1), id: None, fault: ChainFault::Missing };
        match head.seq.cmp(&self.last.seq) {
            std::cmp::Ordering::Greater => Err(due),
            std::cmp::Ordering::Equal if head.mac == self.last.mac => Ok(()),
            // An older end, put back.
            _ => Err(BrokenRecord { seq: Some(head.seq), id: None, fault: ChainFault::Head }),
        }
    }

    fn result(&self, broken: Option<BrokenRecord>) -> AuditCheck {
        AuditCheck {
            records: self.records,
            erased: self.erased,
            removed_to: self.removed_to,
            last: self.last.seq,
            link: self.last.mac.iter().map(|byte| format!("{byte:02x}")).collect(),
            broken,
        }
    }
}
