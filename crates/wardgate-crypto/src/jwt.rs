//! Writing access tokens (RFC 9068).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use wardgate_verify::{Algorithm, VerifyingKey};

use crate::keypair::{SigningError, SigningKey};

#[derive(Serialize)]
struct Header<'a> {
    alg: Algorithm,
    typ: &'static str,
    kid: &'a str,
}

/// The token's first segment. It depends on the key alone, so a key makes it once.
pub(crate) fn header_segment(key: &VerifyingKey) -> String {
    let header = Header { alg: key.algorithm(), typ: "at+jwt", kid: key.kid() };
    let json = serde_json::to_vec(&header).expect("three strings are always JSON");
    URL_SAFE_NO_PAD.encode(json)
}

/// Signs `claims` into a compact access token with `typ: at+jwt`.
///
/// # Errors
/// [`SigningError::Claims`] when the claims do not serialise, [`SigningError::Signature`] when signing fails.
pub fn encode<C: Serialize>(key: &SigningKey, claims: &C) -> Result<String, SigningError> {
    let payload = serde_json::to_vec(claims).map_err(|_| SigningError::Claims)?;
    let mut token = String::with_capacity(key.header().len() + payload.len() * 4 / 3 + 400);
    token.push_str(key.header());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
