//! Private keys that sign access tokens.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use wardgate_verify::{Algorithm, Jwk, KeyError, VerifyingKey};
use zeroize::Zeroizing;

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

/// Why a signing key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The bytes are no private key of that algorithm.
    #[error("the bytes are no private key of that algorithm")]
    Invalid,
    /// An HS256 key is shared with someone: it is given with its id, not drawn or read without one.
    #[error("an HS256 key must be given together with its id")]
    NeedsId,
    /// The library could not make a key.
    #[error("no key could be generated")]
    Generation,
    /// The key would not be accepted by a verifier.
    #[error(transparent)]
    Refused(#[from] KeyError),
}

/// Why a token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The claims do not serialise to JSON.
    #[error("the claims cannot be written as JSON")]
    Claims,
    /// The library refused.
    #[error("the signature could not be made")]
    Signature,
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
            Algorithm::EdDsa => Self::ed25519(random_bytes(rng).as_slice()),
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
            Algorithm::EdDsa => Self::ed25519(bytes),
            Algorithm::Es256 => Self::p256(bytes),
            Algorithm::Rs256 => {
                Self::rsa(RsaKeyPair::from_pkcs8(bytes).map_err(|_| SigningKeyError::Invalid)?)
            }
            Algorithm::Hs256 => Err(SigningKeyError::NeedsId),
        }
    }

    fn ed25519(seed: &[u8]) -> Result<Self, SigningKeyError> {
        if seed.len() != 32 {
            return Err(SigningKeyError::Invalid);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningKeyError::Invalid)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SigningKeyError::Invalid)?;
        Self::published(Jwk::ed25519(public), Material::Ed25519(pair))
    }

    fn p256(scalar: &[u8]) -> Result<Self, SigningKeyError> {
        if scalar.len() != 32 {
            return Err(SigningKeyError::Invalid);
        }
        let der = Zeroizing::new([&SEC1_HEAD, scalar, &SEC1_TAIL].concat());
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
    (0..DRAWS)
        .find_map(|_| SigningKey::p256(random_bytes(rng).as_slice()).ok())
        .ok_or(SigningKeyError::Generation)
}

fn random_bytes(rng: &dyn Rng) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(crate::rng::array(rng))
}

fn p256_coordinates(point: &[u8]) -> Option<(&[u8; 32], &[u8; 32])> {
    let coordinates = point.strip_prefix(&[4])?;
    let (x, y) = coordinates.split_first_chunk()?;
    Some((x, y.try_into().ok()?))
}

fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}
