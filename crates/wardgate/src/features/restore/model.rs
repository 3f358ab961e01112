//! What ends, and what may go on.

use serde::Serialize;

/// What becomes of API keys when an older state of the database is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeysAfter {
    /// All are revoked: nobody can tell which of them were revoked since.
    Revoked,
    /// They go on, and those that were revoked since open again what they did.
    Kept,
}

impl ApiKeysAfter {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "api_keys_revoked",
            Self::Kept => "api_keys_kept",
        }
    }
}

/// How much was ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// Sessions, with their refresh tokens.
    pub sessions: u64,
    /// API keys.
    pub api_keys: u64,
    /// Signing keys; each tenant has a new one instead.
    pub signing_keys: u64,
    /// Links in mails, invitations and sign-ins under way through other providers.
    pub links: u64,
    /// Mails that waited to be sent.
    pub mails: u64,
}
