//! What was sealed anew.

use serde::Serialize;

/// How much was sealed anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// What the master key is called that everything is under now.
    pub master_key: String,
    /// Signing keys.
    pub signing_keys: u64,
    /// Client secrets of providers.
    pub client_secrets: u64,
    /// Mails that wait.
    pub mails: u64,
    /// Accounts at authorities for certificates, and the keys of those.
    pub certificates: u64,
}
