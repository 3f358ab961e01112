//! How records are linked: each by an HMAC over the one before it, its number and all that it says.
//!
//! The keys lie sealed under the master key, so that whoever can write to the database, and nothing else, can neither
//! change a record nor make the chain again.

use subtle::ConstantTimeEq as _;
use wardgate_crypto::SubKey;

use super::model::{AuditEvent, Link, Place, PlaceKind, SealedEvent};
use crate::features::instance::{KeyUse, LastingKeys};
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

/// The keys of the chain.
pub(super) struct Chain {
    links: SubKey,
    places: SubKey,
    personal: SubKey,
}

/// A link that holds.
pub(super) struct Verified {
    pub(super) link: Link,
    /// Whether source and user agent were erased since.
    pub(super) erased: bool,
}

impl Chain {
    pub(super) fn new(keys: &LastingKeys) -> Self {
        Self {
            links: keys.get(KeyUse::AuditLinks),
            places: keys.get(KeyUse::AuditPlaces),
            personal: keys.get(KeyUse::AuditPersonal),
        }
    }

    /// What the first record is linked to.
    pub(super) fn origin(&self, tenant: TenantId) -> Link {
        Link { seq: 0, mac: self.links.hmac(&[b"origin", tenant.as_uuid().as_bytes()]) }
    }

    /// Source and user agent, under a key and with the record's id, so that the digest does not tell whether two
    /// records share an address, nor lets anybody try all addresses.
    pub(super) fn personal_digest(&self, event: &AuditEvent) -> [u8; 32] {
        let (source_is_there, source) = optional(event.source.as_deref());
        let (agent_is_there, agent) = optional(event.user_agent.as_deref());
        let id = event.id.as_uuid();
        self.personal.hmac(&[id.as_bytes(), source_is_there, source, agent_is_there, agent])
    }

    /// The link of `event` behind `before`.
    pub(super) fn link(
        &self,
        tenant: TenantId,
        before: &Link,
        event: &AuditEvent,
        personal_digest: &[u8],
    ) -> Link {
        let seq = before.seq + 1;
        let (target_is_there, target) = optional(event.target.as_deref());
        let mac = self.links.hmac(&[
            b"link",
            &before.mac,
            &seq.to_be_bytes(),
            tenant.as_uuid().as_bytes(),
            event.id.as_uuid().as_bytes(),
            &event.at.as_millis().to_be_bytes(),
            event.actor.as_bytes(),
            event.action.as_bytes(),
            target_is_there,
            target,
            event.outcome.as_bytes(),
            event.request_id.as_bytes(),
            // One and "no number" are the same: a record that stands for itself.
            &event.count.unwrap_or(1).to_be_bytes(),
            personal_digest,
        ]);
        Link { seq, mac }
    }

    /// The link of a stored record, if it is the one that belongs behind `before` and says what it said.
    pub(super) fn verify(&self, tenant: TenantId, before: &Link, sealed: &SealedEvent) -> Option<Verified> {
        let SealedEvent { event, seq, mac, personal_digest } = sealed;
        let stored_digest = personal_digest.as_deref()?;
        let link = self.link(tenant, before, event, stored_digest);
        if *seq != link.seq || !same(&link.mac, mac.as_deref()?) {
            return None;
        }
        let intact = same(&self.personal_digest(event), stored_digest);
        // Erased is both at once: one field alone was edited.
        let erased = !intact && event.source.is_none() && event.user_agent.is_none();
        (intact || erased).then_some(Verified { link, erased })
    }

    /// A place of the chain that only we can name.
    pub(super) fn sign(&self, tenant: TenantId, kind: PlaceKind, link: &Link, at: Timestamp) -> Place {
        let signature = self.signature(tenant, kind, link.seq, &link.mac, at).to_vec();
        Place { seq: link.seq, mac: link.mac.to_vec(), at, signature }
    }

    /// The link at a signed place; `None` if the signature is not ours.
    pub(super) fn read(&self, tenant: TenantId, kind: PlaceKind, place: &Place) -> Option<Link> {
        let expected = self.signature(tenant, kind, place.seq, &place.mac, place.at);
        let mac = place.mac.as_slice().try_into().ok()?;
        same(&expected, &place.signature).then_some(Link { seq: place.seq, mac })
    }

    fn signature(&self, tenant: TenantId, kind: PlaceKind, seq: i64, mac: &[u8], at: Timestamp) -> [u8; 32] {
        let (seq, at) = (seq.to_be_bytes(), at.as_millis().to_be_bytes());
        self.places.hmac(&[kind.as_str().as_bytes(), tenant.as_uuid().as_bytes(), &seq, mac, &at])
    }
}

/// An absent text and an empty one are two things.
fn optional(text: Option<&str>) -> (&'static [u8], &[u8]) {
    match text {
        Some(text) => (b"1", text.as_bytes()),
        None => (b"0", b""),
    }
}

fn same(ours: &[u8; 32], stored: &[u8]) -> bool {
    bool::from(ours.as_slice().ct_eq(stored))
}
