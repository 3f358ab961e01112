//! The one call a resource server needs.

use crate::claims::AccessClaims;
use crate::error::VerifyError;
use crate::jws;
use crate::keyset::KeySet;
use crate::policy::Policy;

/// Verifies access tokens with a policy and a set of keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    policy: Policy,
    keys: KeySet,
}

impl Verifier {
    /// A verifier that accepts what `policy` allows and `keys` signed.
    pub fn new(policy: Policy, keys: KeySet) -> Self {
        Self { policy, keys }
    }

    /// Replaces the keys, after a rotation.
    pub fn set_keys(&mut self, keys: KeySet) {
        self.keys = keys;
    }

    /// Checks form, key, algorithm, signature and claims of `token` at `now_seconds` since 1970.
    ///
    /// The claims are as of the token's issue: a session that was ended since is not seen here.
    ///
    /// # Errors
    /// The first [`VerifyError`] found; no claim is looked at before the signature holds.
    pub fn verify(&self, token: &str, now_seconds: i64) -> Result<AccessClaims, VerifyError> {
        let token = jws::parse(token)?;
        let key = self.keys.find(token.kid()).ok_or(VerifyError::UnknownKey)?;
        let claims = AccessClaims::from_json(token.verify(key)?)?;
        self.policy.check(&claims, now_seconds)?;
        Ok(claims)
    }
}
