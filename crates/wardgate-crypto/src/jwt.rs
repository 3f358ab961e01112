//! Writing access tokens (RFC 9068).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use wardgate_verify::{Algorithm, VerifyingKey};

use crate::error::SigningError;
use crate::keypair::SigningKey;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wardgate_verify::{AccessClaims, Audience, KeySet, Policy, Verifier, VerifyError};

    use super::*;
    use crate::rng::SeededRng;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> AccessClaims {
        AccessClaims {
            org: None,
            iss: "https://auth.example.com".into(),
            sub: "usr_1".into(),
            aud: Audience::from("https://api.example.com".to_owned()),
            exp: NOW + 900,
            iat: NOW,
            nbf: None,
            jti: "jti_1".into(),
            sid: "ses_1".into(),
            client_id: "first-party".into(),
            scope: None,
            roles: vec!["user".into()],
            tenant: "default".into(),
        }
    }

    fn keys() -> Vec<SigningKey> {
        let drawn = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
            .map(|algorithm| SigningKey::generate(algorithm, &SeededRng::new(1)).unwrap());
        let shared = SigningKey::hs256("shared/\"key\"", &[7; 32]).unwrap();
        drawn.into_iter().chain([shared]).collect()
    }

    fn verifier(keys: &[SigningKey]) -> Verifier {
        let keys = KeySet::from_keys(keys.iter().map(SigningKey::verifying_key).collect()).unwrap();
        Verifier::new(Policy::new("https://auth.example.com", "https://api.example.com"), keys)
    }

    #[test]
    fn what_is_encoded_verifies_for_every_algorithm() {
        let keys = keys();
        for key in &keys {
            let token = encode(key, &claims()).unwrap();
            assert_eq!(verifier(&keys).verify(&token, NOW), Ok(claims()), "{key:?}");
            let strangers: Vec<SigningKey> = Vec::new();
            assert_eq!(verifier(&strangers).verify(&token, NOW), Err(VerifyError::UnknownKey));
        }
    }

    // S-025, S-034
    #[test]
    fn the_header_names_type_algorithm_and_key() {
        for key in keys() {
            let token = encode(&key, &claims()).unwrap();
            let (header, _) = token.split_once('.').unwrap();
            let header = URL_SAFE_NO_PAD.decode(header).unwrap();
            let header: BTreeMap<String, String> = serde_json::from_slice(&header).unwrap();
            let expected = [("alg", key.algorithm().as_str()), ("kid", key.kid()), ("typ", "at+jwt")];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(header, BTreeMap::from(expected));
        }
    }

    #[test]
    fn claims_that_are_no_json_are_an_error() {
        let nonsense: BTreeMap<Vec<u8>, u8> = BTreeMap::from([(vec![1], 1)]);
        assert_eq!(encode(&keys()[0], &nonsense), Err(SigningError::Claims));
    }
}
