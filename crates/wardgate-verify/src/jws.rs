//! The compact form of a signed token, read strictly (RFC 7515 section 7.1).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::algorithm::Algorithm;
use crate::error::VerifyError;
use crate::json;
use crate::key::{MAX_KEY_ID_BYTES, VerifyingKey};

/// Longer tokens are refused before anything is decoded.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Header members that change what is verified, or bring a key or a URL along.
///
/// A verifier that follows `jwk`, `jku`, `x5u` or `x5c` lets the attacker choose the key (RFC 8725 section 3.10);
/// `crit` and `b64` change the signed bytes (RFC 7797), `zip` and `enc` belong to encryption.
const FORBIDDEN_MEMBERS: &[&str] = &["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];

/// An access token whose form is right and whose signature has not been looked at.
///
/// Nothing in it may be believed: [`Unverified::kid`] is there to choose a key, [`Unverified::verify`] is the only
/// way to the payload.
pub struct Unverified<'t> {
    signing_input: &'t [u8],
    algorithm: Algorithm,
    kid: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    typ: Option<String>,
    kid: Option<String>,
}

/// Reads an access token in compact form.
///
/// # Errors
/// [`VerifyError::TooLong`] over [`MAX_TOKEN_BYTES`]; [`VerifyError::Malformed`] for anything but three segments
/// of base64url without padding, white space or stray bits; [`VerifyError::Header`] for a header that is no JSON
/// object, repeats a member or carries one that must not be there; [`VerifyError::Algorithm`] for `none` and the
/// unknown; [`VerifyError::Type`] unless `typ` is `at+jwt` (RFC 9068 section 4, so that no other token of the same
/// issuer passes for an access token); [`VerifyError::UnknownKey`] without a usable `kid`.
pub fn parse(token: &str) -> Result<Unverified<'_>, VerifyError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(VerifyError::TooLong);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
    let (header, payload) = signing_input.split_once('.').ok_or(VerifyError::Malformed)?;
    // A dot left in the payload is no base64url, so four segments and more fail here too.
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    let header: Header = json::read(&decode(header)?, FORBIDDEN_MEMBERS).map_err(|_| VerifyError::Header)?;
    Ok(Unverified {
        signing_input: signing_input.as_bytes(),
        algorithm: header.algorithm()?,
        kid: header.access_token_kid()?,
        payload,
        signature,
    })
}

fn decode(segment: &str) -> Result<Vec<u8>, VerifyError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| VerifyError::Malformed)
}

impl Header {
    fn algorithm(&self) -> Result<Algorithm, VerifyError> {
        let name = self.alg.as_deref().ok_or(VerifyError::Algorithm)?;
        name.parse().map_err(|_| VerifyError::Algorithm)
    }

    fn access_token_kid(self) -> Result<String, VerifyError> {
        if !self.typ.is_some_and(|typ| is_access_token_type(&typ)) {
            return Err(VerifyError::Type);
        }
        self.kid.filter(|kid| kid.len() <= MAX_KEY_ID_BYTES).ok_or(VerifyError::UnknownKey)
    }
}

/// Media types compare without case and may omit `application/` (RFC 7515 section 4.1.9).
fn is_access_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

impl Unverified<'_> {
    /// The key the token claims to be signed with; at most 128 bytes, otherwise any text at all.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm the token claims. It chooses nothing: the key decides.
    pub fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature with `key` and returns the payload.
    ///
    /// # Errors
    /// [`VerifyError::UnknownKey`] when `key` is not the one the token names; [`VerifyError::Algorithm`] when the
    /// token's `alg` is not the one bound to `key`, which stops an HMAC keyed with a public key (RFC 8725 section
    /// 3.1); [`VerifyError::Signature`] when the signature does not fit.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&[u8], VerifyError> {
        if key.kid() != self.kid {
            return Err(VerifyError::UnknownKey);
        }
        if key.algorithm() != self.algorithm {
            return Err(VerifyError::Algorithm);
        }
        if !key.accepts(self.signing_input, &self.signature) {
            return Err(VerifyError::Signature);
        }
        Ok(&self.payload)
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("alg", &self.algorithm).finish_non_exhaustive()
    }
}
