//! Private keys that sign access tokens.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use wardgate_verify::{Algorithm, Jwk, VerifyingKey};
use zeroize::Zeroizing;

use crate::error::{SigningError, SigningKeyError};
use crate::jwt;
use crate::rng::Rng;

/// A P-256 scalar in the form of RFC 5915 without the public key, which the library computes: a sequence of version
/// 1, the 32 octets between these two, and the curve's name.
const SEC1_HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const SEC1_TAIL: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// A key that signs access tokens, parsed once and kept parsed.
///
/// Parsing a private key costs as much as signing with it. `Debug` shows the id and the algorithm only.
pub struct SigningKey {
    material: Material,
    verifying: VerifyingKey,
    jwk: Option<Jwk>,
    header: String,
}

enum Material {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Shared { key: Box<hmac::Key>, secret: Zeroizing<Vec<u8>> },
}

impl SigningKey {
    /// Makes a new key; RSA keys have 2048 bits.
    ///
    /// RSA keys are drawn by the library from its own randomness, not from `rng`.
    ///
    /// # Errors
    /// [`SigningKeyError::NeedsId`] for HS256, [`SigningKeyError::Generation`] when the library fails.
    pub fn generate(algorithm: Algorithm, rng: &dyn Rng) -> Result<Self, SigningKeyError> {
        match algorithm {
            Algorithm::EdDsa => Self::ed25519(&random_bytes(rng)),
            Algorithm::Es256 => generate_p256(rng),
            Algorithm::Rs256 => {
                Self::rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningKeyError::Generation)?)
            }
            Algorithm::Hs256 => Err(SigningKeyError::NeedsId),
        }
    }

    /// Takes a secret shared with a service, for HS256. Whoever holds it can mint tokens.
    ///
    /// # Errors
    /// [`SigningKeyError::Refused`] for a secret under 32 bytes or an unusable id.
    pub fn hs256(kid: impl Into<String>, secret: &[u8]) -> Result<Self, SigningKeyError> {
        let verifying = VerifyingKey::hs256(kid, secret)?;
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        let material = Material::Shared { key, secret: Zeroizing::new(secret.to_vec()) };
        Ok(Self { header: jwt::header_segment(&verifying), material, verifying, jwk: None })
    }

    /// Reads what [`SigningKey::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`SigningKeyError::Invalid`] for other bytes, [`SigningKeyError::NeedsId`] for HS256,
    /// [`SigningKeyError::Refused`] for a key that no verifier would accept.
    pub fn from_secret_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SigningKeyError> {
        match algorithm {
            Algorithm::EdDsa => Self::ed25519(thirty_two(bytes)?),
            Algorithm::Es256 => Self::p256(thirty_two(bytes)?),
            Algorithm::Rs256 => {
                Self::rsa(RsaKeyPair::from_pkcs8(bytes).map_err(|_| SigningKeyError::Invalid)?)
            }
            Algorithm::Hs256 => Err(SigningKeyError::NeedsId),
        }
    }

    fn ed25519(seed: &[u8; 32]) -> Result<Self, SigningKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningKeyError::Invalid)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SigningKeyError::Invalid)?;
        Self::published(Jwk::ed25519(public), Material::Ed25519(pair))
    }

    fn p256(scalar: &[u8; 32]) -> Result<Self, SigningKeyError> {
        let der = Zeroizing::new([SEC1_HEAD.as_slice(), scalar, &SEC1_TAIL].concat());
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|_| SigningKeyError::Invalid)?;
        let point = pair.public_key().as_ref();
        let (x, y) = p256_coordinates(point).ok_or(SigningKeyError::Invalid)?;
        let jwk = Jwk::p256(x, y);
        Self::published(jwk, Material::P256(pair))
    }

    fn rsa(pair: RsaKeyPair) -> Result<Self, SigningKeyError> {
        let public = pair.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero();
        let jwk = Jwk::rsa(modulus, public.exponent().big_endian_without_leading_zero());
        Self::published(jwk, Material::Rsa(pair))
    }

    /// Signing with a key that verifiers refuse would lock everyone out, so it is read back as they would.
    fn published(jwk: Jwk, material: Material) -> Result<Self, SigningKeyError> {
        let verifying = VerifyingKey::from_jwk(&jwk)?;
        Ok(Self { header: jwt::header_segment(&verifying), material, verifying, jwk: Some(jwk) })
    }

    /// The private key, to be sealed: seed (EdDSA), scalar (ES256), PKCS#8 (RS256) or secret (HS256).
    ///
    /// # Errors
    /// [`SigningKeyError::Invalid`] when the library cannot export the key.
    pub fn to_secret_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        match &self.material {
            Material::Ed25519(pair) => pair.seed().and_then(|seed| Ok(secret(seed.as_be_bytes()?.as_ref()))),
            Material::P256(pair) => AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key())
                .map(|d| secret(d.as_ref())),
            Material::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| secret(der.as_ref())),
            Material::Shared { secret, .. } => Ok(secret.clone()),
        }
        .map_err(|_| SigningKeyError::Invalid)
    }

    /// The key's id: its thumbprint (RFC 7638), or what [`SigningKey::hs256`] was given.
    pub fn kid(&self) -> &str {
        self.verifying.kid()
    }

    /// The one algorithm the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The public key to publish; `None` for HS256, which has none.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.jwk.clone()
    }

    /// The key that checks this key's signatures.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// Signs `message`, in the form of JWS: 64 bytes for EdDSA and ES256, 32 for HS256.
    ///
    /// # Errors
    /// [`SigningError::Signature`] when the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        match &self.material {
            Material::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Material::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec())
            }
            Material::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map(|()| signature)
            }
            Material::Shared { key, .. } => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
        .map_err(|_| SigningError::Signature)
    }

    /// The encoded header of this key's tokens, made once.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).field("algorithm", &self.algorithm()).finish()
    }
}

/// Draws scalars until one lies below the curve's order; the first does, but for one in 2^32.
fn generate_p256(rng: &dyn Rng) -> Result<SigningKey, SigningKeyError> {
    const DRAWS: usize = 8;
    (0..DRAWS).find_map(|_| SigningKey::p256(&random_bytes(rng)).ok()).ok_or(SigningKeyError::Generation)
}

fn random_bytes(rng: &dyn Rng) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(crate::rng::array(rng))
}

fn thirty_two(bytes: &[u8]) -> Result<&[u8; 32], SigningKeyError> {
    bytes.try_into().map_err(|_| SigningKeyError::Invalid)
}

fn p256_coordinates(point: &[u8]) -> Option<(&[u8; 32], &[u8; 32])> {
    let coordinates = point.strip_prefix(&[4])?;
    let (x, y) = coordinates.split_first_chunk()?;
    Some((x, y.try_into().ok()?))
}

fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use wardgate_verify::KeyError;

    use super::*;
    use crate::rng::{SeededRng, SystemRng};

    const PUBLISHED: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

    /// Drawing an RSA key takes a while, so the tests share one.
    fn key(algorithm: Algorithm) -> SigningKey {
        static RSA: OnceLock<Zeroizing<Vec<u8>>> = OnceLock::new();
        if algorithm != Algorithm::Rs256 {
            return SigningKey::generate(algorithm, &SeededRng::new(1)).unwrap();
        }
        let draw = || SigningKey::generate(algorithm, &SystemRng).unwrap().to_secret_bytes().unwrap();
        SigningKey::from_secret_bytes(algorithm, RSA.get_or_init(draw)).unwrap()
    }

    #[test]
    fn a_key_survives_its_secret_bytes() {
        for algorithm in PUBLISHED {
            let key = key(algorithm);
            let bytes = key.to_secret_bytes().unwrap();
            let read = SigningKey::from_secret_bytes(algorithm, &bytes).unwrap();
            assert_eq!((read.kid(), read.algorithm()), (key.kid(), algorithm));
            assert_eq!(read.public_jwk(), key.public_jwk());
            assert_eq!(read.to_secret_bytes().unwrap(), bytes);
        }
        let shared = SigningKey::hs256("shared", &[7; 32]).unwrap();
        assert_eq!(shared.to_secret_bytes().unwrap().as_slice(), [7; 32]);
    }

    #[test]
    fn a_seed_draws_the_same_key_again_where_the_library_allows() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let again = SigningKey::generate(algorithm, &SeededRng::new(1)).unwrap();
            let other = SigningKey::generate(algorithm, &SeededRng::new(2)).unwrap();
            assert_eq!(again.kid(), key(algorithm).kid());
            assert_ne!(other.kid(), again.kid());
        }
    }

    #[test]
    fn signatures_have_the_length_of_jws() {
        for (algorithm, length) in PUBLISHED.into_iter().zip([64, 64, 256]) {
            assert_eq!(key(algorithm).sign(b"message").unwrap().len(), length, "{algorithm}");
        }
        assert_eq!(SigningKey::hs256("shared", &[7; 32]).unwrap().sign(b"message").unwrap().len(), 32);
    }

    // RFC 8037, appendix A: key, thumbprint and signature.
    #[test]
    fn ed25519_gives_the_published_key_id_and_signature() {
        let seed = base64_url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        let key = SigningKey::from_secret_bytes(Algorithm::EdDsa, &seed).unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(key.sign(message).unwrap(), base64_url(signature));
    }

    // RFC 7515, appendix A.3: the public point belongs to the scalar.
    #[test]
    fn p256_computes_the_published_point() {
        let scalar = base64_url("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
        let key = SigningKey::from_secret_bytes(Algorithm::Es256, &scalar).unwrap();
        let json = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
        assert_eq!(json["x"], "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(json["y"], "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert_eq!(key.to_secret_bytes().unwrap().as_slice(), scalar);
    }

    // RFC 7515, appendix A.1.
    #[test]
    fn hs256_gives_the_published_signature() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = SigningKey::hs256("rfc", &base64_url(secret)).unwrap();
        let message = concat!(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog",
            "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        );
        let signature = base64_url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(key.sign(message.as_bytes()).unwrap(), signature);
    }

    // S-032
    #[test]
    fn the_published_key_holds_nothing_private() {
        for algorithm in PUBLISHED {
            let json = serde_json::to_value(key(algorithm).public_jwk().unwrap()).unwrap();
            let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
            let public = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];
            assert!(names.iter().all(|name| public.contains(name)), "{names:?}");
            assert_eq!((json["use"].as_str(), json["alg"].as_str()), (Some("sig"), Some(algorithm.as_str())));
            assert_eq!(json["kid"], key(algorithm).kid());
        }
        assert_eq!(SigningKey::hs256("shared", &[7; 32]).unwrap().public_jwk(), None);
    }

    // S-032
    #[test]
    fn what_is_no_key_or_too_weak_a_key_is_refused() {
        let order = [[0xff; 4].as_slice(), &[0; 4], &[0xff; 24]].concat();
        for bytes in [&[][..], &[1; 31], &[1; 33], &[0; 32], &order, &[0xff; 32]] {
            let refused = SigningKey::from_secret_bytes(Algorithm::Es256, bytes);
            assert_eq!(refused.unwrap_err(), SigningKeyError::Invalid, "{bytes:?}");
        }
        for (algorithm, bytes) in [
            (Algorithm::EdDsa, [1; 31].as_slice()),
            (Algorithm::EdDsa, &[1; 33]),
            (Algorithm::Rs256, &[1; 32]),
        ] {
            let refused = SigningKey::from_secret_bytes(algorithm, bytes);
            assert_eq!(refused.unwrap_err(), SigningKeyError::Invalid, "{algorithm}");
        }
        let short = SigningKey::hs256("shared", &[7; 31]);
        assert_eq!(short.unwrap_err(), SigningKeyError::Refused(KeyError::Weak));
    }

    #[test]
    fn hs256_is_neither_drawn_nor_read_without_an_id() {
        let drawn = SigningKey::generate(Algorithm::Hs256, &SystemRng);
        assert_eq!(drawn.unwrap_err(), SigningKeyError::NeedsId);
        let read = SigningKey::from_secret_bytes(Algorithm::Hs256, &[7; 32]);
        assert_eq!(read.unwrap_err(), SigningKeyError::NeedsId);
    }

    // S-143
    #[test]
    fn debug_shows_id_and_algorithm_only() {
        let key = SigningKey::hs256("shared", b"a secret of more than 32 bytes, ok").unwrap();
        assert_eq!(format!("{key:?}"), r#"SigningKey { kid: "shared", algorithm: Hs256 }"#);
    }

    fn base64_url(text: &str) -> Vec<u8> {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
    }
}
