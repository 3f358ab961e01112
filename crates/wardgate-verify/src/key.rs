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
    use crate::testing::{Issuer, base64, from_base64};

    const RFC_7515_A2_MODULUS: &str = concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql",
        "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs",
        "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud",
        "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    );
    const RFC_7515_PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn read(jwk: Value) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk).unwrap())
    }

    fn ed25519_jwk() -> Value {
        serde_json::to_value(Issuer::new().ed25519_jwk()).unwrap()
    }

    fn p256_jwk() -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": "rfc",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn rsa_jwk() -> Value {
        json!({"kty": "RSA", "kid": "rfc", "n": RFC_7515_A2_MODULUS, "e": "AQAB"})
    }

    fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
        jwk[name] = value.into();
        jwk
    }

    fn assert_takes(key: &VerifyingKey, header: &str, payload: &str, signature: &str) {
        let message = format!("{header}.{payload}");
        let signature = from_base64(signature);
        assert!(key.accepts(message.as_bytes(), &signature), "{key:?}");
        assert!(!key.accepts(format!("{message}x").as_bytes(), &signature), "{key:?}");
        for position in 0..signature.len() {
            let mut altered = signature.clone();
            altered[position] ^= 1;
            assert!(!key.accepts(message.as_bytes(), &altered), "{key:?}, byte {position}");
        }
        assert!(!key.accepts(message.as_bytes(), &signature[1..]), "{key:?}");
    }

    #[test]
    fn takes_the_signatures_that_the_rfcs_publish() {
        // RFC 7515, appendix A.1.
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let shared = VerifyingKey::hs256("rfc", &from_base64(secret)).unwrap();
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_takes(&shared, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", RFC_7515_PAYLOAD, signature);
        // RFC 7515, appendix A.2.
        let signature = concat!(
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG",
            "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K",
            "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6",
            "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        );
        assert_takes(&read(rsa_jwk()).unwrap(), "eyJhbGciOiJSUzI1NiJ9", RFC_7515_PAYLOAD, signature);
        // RFC 7515, appendix A.3.
        let signature =
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert_takes(&read(p256_jwk()).unwrap(), "eyJhbGciOiJFUzI1NiJ9", RFC_7515_PAYLOAD, signature);
        // RFC 8037, appendix A.4.
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "rfc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let payload = "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_takes(&read(jwk).unwrap(), "eyJhbGciOiJFZERTQSJ9", payload, signature);
    }

    // RFC 7518 section 3.4: the 64 bytes r and s, not DER.
    #[test]
    fn es256_takes_no_der_and_no_degenerate_signature() {
        let key = read(p256_jwk()).unwrap();
        let message = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}");
        let fixed = from_base64(
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        );
        assert!(key.accepts(message.as_bytes(), &fixed));
        // A sequence of two integers; s starts with a high bit and takes a zero in front.
        let der = [&[0x30, 69, 2, 32], &fixed[..32], &[2, 33, 0], &fixed[32..]].concat();
        let order =
            [[0xff; 4].as_slice(), &[0; 4], &[0xff; 8], &from_base64("vOb6racXnoTzucrC_GMlUQ")].concat();
        let zeros = vec![0; 64];
        let at_order = [order.as_slice(), &order].concat();
        for signature in
            [der, zeros, at_order, [&fixed[..32], &[0; 32]].concat(), vec![], fixed[..63].to_vec()]
        {
            assert!(!key.accepts(message.as_bytes(), &signature), "{signature:?}");
        }
    }

    // RFC 8032 section 5.1.7: S has to be under the order, or each signature would have a twin.
    #[test]
    fn ed25519_takes_one_form_of_a_signature() {
        let order = from_base64("7dP1XBpjEljWnPei3vneFAAAAAAAAAAAAAAAAAAAABA");
        let token = Issuer::new().sign_claims("{}");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let key = read(ed25519_jwk()).unwrap();
        let mut twin = from_base64(signature);
        assert!(key.accepts(input.as_bytes(), &twin));
        let mut carry = 0;
        for (byte, add) in twin[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert_eq!(carry, 0);
        assert!(!key.accepts(input.as_bytes(), &twin));
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
