//! Client secrets that are JWTs, as Apple asks for: signed anew for each use with a key that never leaves.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{SigningError, SigningKeyError};

/// How long one secret is good, in seconds. It is used at once; Apple takes up to six months.
const LIFE_SECONDS: i64 = 300;

/// A P-256 key by which a client proves who it is.
pub struct ClientSecretKey(EcdsaKeyPair);

impl ClientSecretKey {
    /// Reads a private key in PKCS#8 and PEM (RFC 7468), as a `.p8` file holds it.
    ///
    /// # Errors
    /// [`SigningKeyError::Invalid`] for anything else.
    pub fn from_pem(pem: &str) -> Result<Self, SigningKeyError> {
        let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"));
        let body = body.ok_or(SigningKeyError::Invalid)?;
        let joined = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
        let der = Zeroizing::new(STANDARD.decode(joined.as_bytes()).map_err(|_| SigningKeyError::Invalid)?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
        pair.map(Self).map_err(|_| SigningKeyError::Invalid)
    }

    /// A secret for `client_id` of the developer team `team_id` towards `audience`, good for five minutes from
    /// `now_seconds` since 1970. `key_id` is what the provider calls the key.
    ///
    /// # Errors
    /// [`SigningError::Signature`] when signing fails.
    pub fn sign(
        &self,
        key_id: &str,
        team_id: &str,
        client_id: &str,
        audience: &str,
        now_seconds: i64,
    ) -> Result<Zeroizing<String>, SigningError> {
        let header = json!({ "alg": "ES256", "kid": key_id, "typ": "JWT" });
        let claims = json!({
            "iss": team_id, "iat": now_seconds, "exp": now_seconds.saturating_add(LIFE_SECONDS),
            "aud": audience, "sub": client_id,
        });
        let segment = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let mut token = Zeroizing::new(format!("{}.{}", segment(header), segment(claims)));
        let signature = self.0.sign(&SystemRandom::new(), token.as_bytes());
        let signature = signature.map_err(|_| SigningError::Signature)?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Ok(token)
    }
}

impl fmt::Debug for ClientSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// What `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes.
    fn pem(pkcs8: &[u8]) -> String {
        let text = STANDARD.encode(pkcs8);
        let (first, rest) = text.split_at(64);
        format!("-----BEGIN PRIVATE KEY-----\n{first}\n{rest}\n-----END PRIVATE KEY-----\n")
    }

    #[test]
    fn the_secret_is_a_jwt_that_names_key_team_and_client() {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.unwrap();
        let key = ClientSecretKey::from_pem(&pem(pkcs8.as_ref())).unwrap();
        let token = key.sign("ABC123", "TEAM", "com.example.app", "https://appleid.apple.com", 1_800_000_000);
        let token = token.unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let json =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        assert_eq!(json(parts[0]), json!({ "alg": "ES256", "kid": "ABC123", "typ": "JWT" }));
        let claims = json!({
            "iss": "TEAM", "iat": 1_800_000_000, "exp": 1_800_000_300_i64, "aud": "https://appleid.apple.com",
            "sub": "com.example.app",
        });
        assert_eq!(json(parts[1]), claims);
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.0.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        public.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature).unwrap();
        assert_eq!(format!("{key:?}"), "ClientSecretKey(..)");
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let ed25519 = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        for text in
            ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", &pem(ed25519.as_ref())]
        {
            assert_eq!(ClientSecretKey::from_pem(text).unwrap_err(), SigningKeyError::Invalid);
        }
    }
}
