//! Tokens for tests: signed properly, however wrong their contents.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::{Jwk, KeySet, Policy, Verifier, VerifyingKey};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
pub(crate) const SHARED_SECRET: [u8; 32] = [9; 32];

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// An issuer with one key of each kind that is quick to make.
pub(crate) struct Issuer {
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { ed25519, p256 }
    }

    pub(crate) fn ed25519_jwk(&self) -> Jwk {
        Jwk::ed25519(self.ed25519.public_key().as_ref().try_into().unwrap())
    }

    pub(crate) fn p256_jwk(&self) -> Jwk {
        let point = self.p256.public_key().as_ref();
        Jwk::p256(point[1..33].try_into().unwrap(), point[33..].try_into().unwrap())
    }

    pub(crate) fn keys(&self) -> KeySet {
        let public = [self.ed25519_jwk(), self.p256_jwk()].map(|jwk| VerifyingKey::from_jwk(&jwk).unwrap());
        let shared = VerifyingKey::hs256("shared", &SHARED_SECRET).unwrap();
        KeySet::from_keys(public.into_iter().chain([shared]).collect()).unwrap()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(Policy::new(ISSUER, AUDIENCE), self.keys())
    }

    /// The header of a good EdDSA token.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.ed25519_jwk().kid()})
    }

    /// Signs with Ed25519, whatever the header says.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        compact(header, payload, |input| self.ed25519.sign(input).as_ref().to_vec())
    }

    pub(crate) fn sign_claims(&self, payload: &str) -> String {
        self.sign(&self.header().to_string(), payload)
    }

    pub(crate) fn sign_header(&self, header: &str) -> String {
        self.sign(header, &claims().to_string())
    }

    pub(crate) fn sign_p256(&self, header: &str, payload: &str) -> String {
        compact(header, payload, |input| {
            self.p256.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
        })
    }
}

pub(crate) fn sign_hmac(secret: &[u8], header: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    compact(header, payload, |input| hmac::sign(&key, input).as_ref().to_vec())
}

pub(crate) fn compact(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", base64(header), base64(payload));
    let signature = base64(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "usr_1", "aud": AUDIENCE, "exp": NOW + 900, "iat": NOW, "jti": "jti_1",
        "sid": "ses_1", "client_id": "first-party", "roles": ["user"], "tenant": "default",
    })
}
