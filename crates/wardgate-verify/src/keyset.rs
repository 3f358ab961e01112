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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Issuer;

    fn set(keys: &[Value]) -> Result<KeySet, KeyError> {
        KeySet::from_jwks(&serde_json::from_value(json!({ "keys": keys })).unwrap())
    }

    fn good() -> [Value; 2] {
        let issuer = Issuer::new();
        [issuer.ed25519_jwk(), issuer.p256_jwk()].map(|jwk| serde_json::to_value(jwk).unwrap())
    }

    #[test]
    fn keys_are_found_by_their_exact_id() {
        let [first, second] = good();
        let keys = set(&[first.clone(), second.clone()]).unwrap();
        for jwk in [first, second] {
            let kid = jwk["kid"].as_str().unwrap();
            assert_eq!(keys.find(kid).map(VerifyingKey::kid), Some(kid));
            assert!(keys.find(&kid[1..]).is_none());
        }
        assert!(keys.find("").is_none());
    }

    #[test]
    fn kinds_we_do_not_know_are_skipped() {
        let [first, second] = good();
        let unknown = [
            json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "kid": "pq"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "x"}),
            json!({"kty": "RSA", "use": "enc", "n": "AAAA", "e": "AQAB", "kid": "enc"}),
        ];
        let keys = set(&[unknown.as_slice(), &[first, second]].concat()).unwrap();
        assert_eq!(keys.keys.len(), 2);
    }

    // S-032
    #[test]
    fn a_broken_key_or_a_repeated_id_refuses_the_set() {
        let [first, mut second] = good();
        let mut weak = first.clone();
        weak["x"] = json!("A".repeat(43));
        assert_eq!(set(&[weak]).unwrap_err(), KeyError::Weak);
        second["kid"] = first["kid"].clone();
        assert_eq!(set(&[first, second]).unwrap_err(), KeyError::DuplicateKeyId);
    }
}
