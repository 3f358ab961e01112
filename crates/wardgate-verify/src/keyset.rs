//! The keys a verifier holds.

use crate::error::KeyError;
use crate::jwk::JwkSet;
use crate::key::VerifyingKey;

/// Keys found by their id; no two share one.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

impl KeySet {
    /// Reads a published set.
    ///
    /// A key of a kind this crate does not know, or not meant for verifying, is skipped, so that an issuer may add
    /// one before its verifiers are updated.
    ///
    /// # Errors
    /// Any other [`KeyError`] of one key refuses the whole set: a broken or weak key is the issuer's fault to mend,
    /// and [`KeyError::DuplicateKeyId`] makes the choice of a key ambiguous.
    pub fn from_jwks(set: &JwkSet) -> Result<Self, KeyError> {
        let mut keys = Vec::with_capacity(set.keys.len());
        for jwk in &set.keys {
            match VerifyingKey::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(KeyError::Unsupported | KeyError::NotForVerifying) => {}
                Err(fault) => return Err(fault),
            }
        }
        Self::from_keys(keys)
    }

    /// Takes keys that are parsed already.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`] when two share an id.
    pub fn from_keys(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let repeats =
            |(index, key): (usize, &VerifyingKey)| keys[..index].iter().any(|k| k.kid() == key.kid());
        if keys.iter().enumerate().any(repeats) {
            return Err(KeyError::DuplicateKeyId);
        }
        Ok(Self { keys })
    }

    /// The key of this id. A set holds a handful of keys, so this is a scan.
    pub fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }
}
