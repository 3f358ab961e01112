//! A verifier that can be asked from everywhere: with a clock, and with keys that may change.

use std::fmt;
use std::sync::Arc;

use crate::claims::AccessClaims;
use crate::clock;
use crate::error::VerifyError;
#[cfg(feature = "fetch")]
use crate::fetch::FetchedKeys;
use crate::jws;
use crate::keyset::KeySet;
use crate::policy::Policy;
use crate::verifier::judge;

/// What a resource server holds in its state: the policy, the keys and the time. Cloning is cheap.
///
/// ```
/// use wardgate_verify::{KeySet, Policy, TokenVerifier};
///
/// # async fn run(keys: KeySet, token: &str) -> Result<(), wardgate_verify::VerifyError> {
/// let policy = Policy::new("https://auth.example.com", "https://api.example.com");
/// let verifier = TokenVerifier::new(policy, keys);
/// let claims = verifier.verify(token).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenVerifier(Arc<Inner>);

struct Inner {
    policy: Policy,
    keys: Keys,
    now_seconds: Box<dyn Fn() -> i64 + Send + Sync>,
}

enum Keys {
    Fixed(KeySet),
    #[cfg(feature = "fetch")]
    Fetched(FetchedKeys),
}

impl TokenVerifier {
    /// A verifier with keys that stay as they are: an HS256 secret, or a JWKS that was read from a file.
    pub fn new(policy: Policy, keys: KeySet) -> Self {
        Self::with_clock(policy, keys, clock::system_seconds)
    }

    /// As [`TokenVerifier::new`], with a clock that gives the seconds since 1970: for tests.
    pub fn with_clock(
        policy: Policy,
        keys: KeySet,
        now_seconds: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { policy, keys: Keys::Fixed(keys), now_seconds: Box::new(now_seconds) }))
    }

    /// A verifier with the keys that the issuer publishes.
    #[cfg(feature = "fetch")]
    pub fn fetched(policy: Policy, keys: FetchedKeys) -> Self {
        Self::fetched_with_clock(policy, keys, clock::system_seconds)
    }

    /// As [`TokenVerifier::fetched`], with a clock that gives the seconds since 1970: for tests.
    #[cfg(feature = "fetch")]
    pub fn fetched_with_clock(
        policy: Policy,
        keys: FetchedKeys,
        now_seconds: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { policy, keys: Keys::Fetched(keys), now_seconds: Box::new(now_seconds) }))
    }

    /// Checks form, key, algorithm, signature and claims of `token` now.
    ///
    /// With fetched keys, a key that is not held is looked for at the issuer, unless that was done a moment ago.
    /// The claims are as of the token's issue: a session that was ended since is not seen here.
    ///
    /// # Errors
    /// The first [`VerifyError`] found; every one is a 401.
    pub async fn verify(&self, token: &str) -> Result<AccessClaims, VerifyError> {
        let token = jws::parse(token)?;
        let Inner { policy, keys, now_seconds } = &*self.0;
        match keys {
            Keys::Fixed(keys) => judge(&token, policy, keys, now_seconds()),
            #[cfg(feature = "fetch")]
            Keys::Fetched(source) => {
                let keys = source.holding(token.kid()).await;
                judge(&token, policy, &keys, now_seconds())
            }
        }
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
