//! What an identity link is.

use serde::Serialize;

use crate::kernel::ids::{IdentityId, UserId};
use crate::kernel::time::Timestamp;

/// The most links that a user has.
pub(crate) const MAX_IDENTITIES: usize = 20;

/// A user as another provider knows them: by `issuer` and `subject`, never by an address, which may be another's
/// tomorrow (S-068).
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Whose it is.
    pub user: UserId,
    /// What the provider is called here.
    pub provider: String,
    /// The provider.
    pub issuer: String,
    /// The user's id there.
    pub subject: String,
    /// The address that the provider named when they were linked.
    pub email: Option<String>,
    /// Whether they were linked because of that address alone, and have not linked it themselves since.
    pub by_address: bool,
    /// When they were linked.
    pub created_at: Timestamp,
    /// When somebody last signed in by it.
    pub last_used_at: Timestamp,
}

/// An identity link as its owner sees it.
#[derive(Debug, Clone, Serialize)]
pub struct IdentityView {
    id: IdentityId,
    provider: String,
    issuer: String,
    subject: String,
    email: Option<String>,
    by_address: bool,
    created_at: Timestamp,
    last_used_at: Timestamp,
}

impl From<Identity> for IdentityView {
    fn from(identity: Identity) -> Self {
        let Identity { id, user: _, provider, issuer, subject, email, by_address, created_at, last_used_at } =
            identity;
        Self { id, provider, issuer, subject, email, by_address, created_at, last_used_at }
    }
}
