//! A key, parsed once and bound to its one algorithm.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::jwk::{Jwk, Members};
use crate::weak;

/// Longer key ids are refused, in keys and in tokens.
pub(crate) const MAX_KEY_ID_BYTES: usize = 128;

/// An HMAC key shorter than the hash is weaker than the hash (RFC 7518 section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// A key that verifies signatures of exactly one algorithm.
///
/// Cloning is cheap. `Debug` shows the id and the algorithm only.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Public(ParsedPublicKey),
    Shared(Arc<hmac::Key>),
}

impl VerifyingKey {
    /// Reads and judges a public key.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a kind that is not Ed25519, P-256 or RSA, or an `alg` this crate does not
    /// know; [`KeyError::NotForVerifying`] for another `use` or `key_ops`; [`KeyError::AlgorithmMismatch`] for an
    /// `alg` of another kind of key; [`KeyError::KeyId`] without a usable `kid`; [`KeyError::Invalid`] for members
    /// that are no key, a point off the curve among them; [`KeyError::Weak`] for RSA outside 2048 to 8192 bits, an
    /// even exponent or one under 65537, a modulus with the mark of the ROCA fault, and Ed25519 points of small
    /// order.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let members = jwk.members();
        let algorithm = kind(members)?;
        check_use(members)?;
        check_alg(members, algorithm)?;
        let kid = members.kid.clone().unwrap_or_default();
        Self::new(kid, algorithm, Material::Public(public_key(members, algorithm)?))
    }

    /// Takes a secret shared with the issuer, for HS256.
    ///
    /// # Errors
    /// [`KeyError::Weak`] for a secret under 32 bytes; [`KeyError::KeyId`] for an empty or overlong `kid`.
    pub fn hs256(kid: impl Into<String>, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::Weak);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self::new(kid.into(), Algorithm::Hs256, Material::Shared(Arc::new(key)))
    }

    fn new(kid: String, algorithm: Algorithm, material: Material) -> Result<Self, KeyError> {
        if kid.is_empty() || kid.len() > MAX_KEY_ID_BYTES {
            return Err(KeyError::KeyId);
        }
        Ok(Self { kid, algorithm, material })
    }

    /// The key's id, as in a token's `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
            Material::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("kid", &self.kid).field("algorithm", &self.algorithm).finish()
    }
}

fn kind(key: &Members) -> Result<Algorithm, KeyError> {
    match (key.kty.as_str(), key.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => Ok(Algorithm::EdDsa),
        ("EC", Some("P-256")) => Ok(Algorithm::Es256),
        ("RSA", _) => Ok(Algorithm::Rs256),
        _ => Err(KeyError::Unsupported),
    }
}

fn check_use(key: &Members) -> Result<(), KeyError> {
    let meant_for_signatures = key.usage.as_deref().is_none_or(|usage| usage == "sig");
    let may_verify = key.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if meant_for_signatures && may_verify { Ok(()) } else { Err(KeyError::NotForVerifying) }
}

fn check_alg(key: &Members, expected: Algorithm) -> Result<(), KeyError> {
    let Some(name) = key.alg.as_deref() else { return Ok(()) };
    let named: Algorithm = name.parse().map_err(|_| KeyError::Unsupported)?;
    if named == expected { Ok(()) } else { Err(KeyError::AlgorithmMismatch) }
}

fn public_key(key: &Members, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
    match algorithm {
        Algorithm::EdDsa => ed25519(&coordinate(&key.x)?),
        Algorithm::Es256 => p256(&coordinate(&key.x)?, &coordinate(&key.y)?),
        Algorithm::Rs256 => rsa(&decode(&key.n)?, &decode(&key.e)?),
        Algorithm::Hs256 => Err(KeyError::Unsupported),
    }
}

fn ed25519(point: &[u8; 32]) -> Result<ParsedPublicKey, KeyError> {
    if weak::ed25519_point(point) {
        return Err(KeyError::Weak);
    }
    ParsedPublicKey::new(&ED25519, point).map_err(|_| KeyError::Invalid)
}

fn p256(x: &[u8; 32], y: &[u8; 32]) -> Result<ParsedPublicKey, KeyError> {
    // SEC 1 section 2.3.4; the library checks that the point lies on the curve.
    let point = [&[4], x.as_slice(), y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::Invalid)
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    if weak::rsa_exponent(exponent) || weak::rsa_modulus(modulus) {
        return Err(KeyError::Weak);
    }
    PublicKeyComponents { n: modulus, e: exponent }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyError::Invalid)
}

fn coordinate(member: &Option<String>) -> Result<[u8; 32], KeyError> {
    decode(member)?.try_into().map_err(|_| KeyError::Invalid)
}

fn decode(member: &Option<String>) -> Result<Vec<u8>, KeyError> {
    let text = member.as_deref().ok_or(KeyError::Invalid)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Invalid)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rfc_vectors::{RFC_7515_A2_MODULUS, ed25519_jwk, p256_jwk, read, rsa_jwk};
    use crate::testing::{base64, from_base64};

    fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
        jwk[name] = value.into();
        jwk
    }

    // S-032
    #[test]
    fn use_operations_and_algorithm_have_to_fit() {
        for good in [
            with(p256_jwk(), "use", "sig"),
            with(p256_jwk(), "alg", "ES256"),
            with(p256_jwk(), "key_ops", json!(["sign", "verify"])),
            with(p256_jwk(), "x5t", "ignored"),
        ] {
            assert!(read(good.clone()).is_ok(), "{good}");
        }
        for (name, value, fault) in [
            ("use", json!("enc"), KeyError::NotForVerifying),
            ("use", json!(""), KeyError::NotForVerifying),
            ("key_ops", json!([]), KeyError::NotForVerifying),
            ("key_ops", json!(["encrypt"]), KeyError::NotForVerifying),
            ("alg", json!("EdDSA"), KeyError::AlgorithmMismatch),
            ("alg", json!("HS256"), KeyError::AlgorithmMismatch),
            ("alg", json!("ES384"), KeyError::Unsupported),
            ("alg", json!("none"), KeyError::Unsupported),
            ("kty", json!("oct"), KeyError::Unsupported),
            ("kty", json!("AKP"), KeyError::Unsupported),
            ("crv", json!("P-384"), KeyError::Unsupported),
            ("crv", json!("secp256k1"), KeyError::Unsupported),
            ("crv", json!(null), KeyError::Unsupported),
            ("kid", json!(null), KeyError::KeyId),
            ("kid", json!(""), KeyError::KeyId),
            ("kid", json!("k".repeat(129)), KeyError::KeyId),
        ] {
            assert_eq!(read(with(p256_jwk(), name, value.clone())).unwrap_err(), fault, "{name}: {value}");
        }
    }

    // S-032
    #[test]
    fn points_off_the_curve_and_broken_members_are_refused() {
        let x = p256_jwk()["x"].clone();
        for broken in [
            with(p256_jwk(), "y", x.clone()),
            with(p256_jwk(), "x", base64([0; 32])),
            with(with(p256_jwk(), "x", base64([0; 32])), "y", base64([0; 32])),
            with(p256_jwk(), "x", base64([0xff; 32])),
            with(p256_jwk(), "x", base64([1; 31])),
            with(p256_jwk(), "x", base64([1; 33])),
            with(p256_jwk(), "x", format!("{}=", x.as_str().unwrap())),
            with(p256_jwk(), "y", json!(null)),
            with(ed25519_jwk(), "x", base64([5; 31])),
            with(ed25519_jwk(), "x", "not base64"),
            with(rsa_jwk(), "n", "+/+/"),
            with(rsa_jwk(), "e", json!(null)),
            with(rsa_jwk(), "n", base64([&[0], from_base64(RFC_7515_A2_MODULUS).as_slice()].concat())),
        ] {
            assert_eq!(read(broken.clone()).unwrap_err(), KeyError::Invalid, "{broken}");
        }
    }

    // S-032
    #[test]
    fn weak_keys_are_refused() {
        let modulus = from_base64(RFC_7515_A2_MODULUS);
        for weak in [
            with(rsa_jwk(), "e", base64([3])),
            with(rsa_jwk(), "e", base64([1, 0, 0])),
            with(rsa_jwk(), "e", base64([1, 0, 1, 0, 1])),
            with(rsa_jwk(), "n", base64(&modulus[1..])),
            with(ed25519_jwk(), "x", base64([0; 32])),
        ] {
            assert_eq!(read(weak.clone()).unwrap_err(), KeyError::Weak, "{weak}");
        }
        assert_eq!(VerifyingKey::hs256("k", &[1; 31]).unwrap_err(), KeyError::Weak);
        assert_eq!(VerifyingKey::hs256("", &[1; 32]).unwrap_err(), KeyError::KeyId);
        assert!(VerifyingKey::hs256("k", &[1; 32]).is_ok());
    }

    #[test]
    fn debug_shows_id_and_algorithm_only() {
        let key = VerifyingKey::hs256("k", &[1; 32]).unwrap();
        assert_eq!(format!("{key:?}"), r#"VerifyingKey { kid: "k", algorithm: Hs256 }"#);
    }
}
