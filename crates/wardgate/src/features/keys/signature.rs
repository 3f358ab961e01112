//! Signs tokens, and checks the signatures of those presented.

use std::sync::Arc;

use wardgate_crypto::Digest;
use wardgate_verify::{AccessClaims, jws};

use super::service::Keys;
use super::verified::Verified;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

impl Keys {
    /// Signs `claims` with the key that the issuing transaction chose.
    pub(crate) async fn sign(
        &self,
        tenant: TenantId,
        kid: &str,
        claims: &AccessClaims,
    ) -> Result<String, AuthError> {
        let key = match self.find(kid) {
            Some(key) => key,
            None => {
                self.reload(tenant).await?;
                self.find(kid)
                    .ok_or_else(|| AuthError::internal("sign", "the signing key is not in memory"))?
            }
        };
        wardgate_crypto::jwt::encode(&key.signing, claims).map_err(|error| AuthError::internal("sign", error))
    }

    /// Checks the signature; the tenant is the key's, never one that the token names. Whether the key is
    /// still open is for the caller's look at the store (`keys::is_open`).
    async fn check_signature(&self, tenant: TenantId, token: &str) -> Result<Arc<Verified>, AuthError> {
        let unverified = jws::parse(token).map_err(|_| AuthError::InvalidCredential)?;
        let kid = unverified.kid();
        let key = match self.find(kid) {
            Some(key) => key,
            None => self.find_after_reload(tenant, kid).await?,
        };
        let payload = unverified.verify(&key.verifying).map_err(|_| AuthError::InvalidCredential)?;
        let claims = AccessClaims::from_json(payload).map_err(|_| AuthError::InvalidCredential)?;
        Ok(Arc::new(Verified { tenant: key.tenant, kid: kid.to_owned(), claims }))
    }

    /// As [`check_signature`](Self::check_signature), once a token. Claims and times are for the caller to check, every
    /// time.
    pub(crate) async fn verify(&self, tenant: TenantId, token: &str) -> Result<Arc<Verified>, AuthError> {
        // Before anything is computed over it (S-145).
        if token.len() > jws::MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidCredential);
        }
        let digest = Digest::of(token.as_bytes());
        let verified = match self.verified.find(digest) {
            Some(known) => known,
            None => {
                let verified = self.check_signature(tenant, token).await?;
                self.verified.keep(digest, Arc::clone(&verified));
                verified
            }
        };
        // Another tenant's token is nobody's here (S-103).
        if verified.tenant == tenant { Ok(verified) } else { Err(AuthError::InvalidCredential) }
    }
}
