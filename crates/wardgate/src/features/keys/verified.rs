//! Tokens whose signature was checked before.
//!
//! A signature over the same bytes stays good or bad for ever, so it is checked once: that is most of the cost of
//! an authenticated request. What changes with time is never kept: expiry, the key's being open, session, user and
//! roles are looked at on every request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wardgate_crypto::Digest;
use wardgate_verify::AccessClaims;

use crate::kernel::ids::TenantId;

/// Tokens kept in one generation; two generations are held, a few megabytes at most.
const GENERATION: usize = 4096;

/// What a good signature vouches for.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) tenant: TenantId,
    pub(crate) kid: String,
    pub(crate) claims: AccessClaims,
}

#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Arc<Verified>>,
    old: HashMap<[u8; 32], Arc<Verified>>,
}

/// A bounded memory of verified tokens, by the digest of the whole token. Holds no token.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<Generations>);

impl VerifiedTokens {
    pub(super) fn find(&self, token: Digest) -> Option<Arc<Verified>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(token.as_bytes()) {
            return Some(Arc::clone(known));
        }
        let known = generations.old.remove(token.as_bytes())?;
        generations.insert(token, Arc::clone(&known));
        Some(known)
    }

    /// Only after the signature was found good.
    pub(super) fn keep(&self, token: Digest, verified: Arc<Verified>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token, verified);
    }
}

impl Generations {
    fn insert(&mut self, token: Digest, verified: Arc<Verified>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(*token.as_bytes(), verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified() -> Arc<Verified> {
        let claims = serde_json::json!({
            "iss": "i", "sub": "s", "aud": "a", "exp": 2, "iat": 1, "jti": "j", "sid": "x", "client_id": "c",
            "roles": [], "tenant": "t",
        });
        let claims = AccessClaims::from_json(claims.to_string().as_bytes()).unwrap();
        Arc::new(Verified { tenant: TenantId::DEFAULT, kid: "k".to_owned(), claims })
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_used() {
        let (tokens, used) = (VerifiedTokens::default(), Digest::of(b"used"));
        tokens.keep(used, verified());
        for index in 0..3 * GENERATION {
            tokens.keep(Digest::of(&index.to_le_bytes()), verified());
            assert!(index % 1000 != 0 || tokens.find(used).is_some());
        }
        let generations = tokens.0.lock().unwrap();
        assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
        drop(generations);
        assert!(tokens.find(Digest::of(&0_usize.to_le_bytes())).is_none(), "the unused go");
    }
}
