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

/// A token whose form is right and whose signature has not been looked at.
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
    read(token, is_access_token_type)
}

/// Reads an ID token in compact form, as [`parse`] reads an access token.
///
/// # Errors
/// As [`parse`]; [`VerifyError::Type`] for a `typ` that is there and not `JWT`, so that no other token of the same issuer
/// passes for one (RFC 8725 section 3.11).
pub fn parse_id_token(token: &str) -> Result<Unverified<'_>, VerifyError> {
    read(token, is_id_token_type)
}

fn read(token: &str, is_type: fn(Option<&str>) -> bool) -> Result<Unverified<'_>, VerifyError> {
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
        kid: header.kid_of(is_type)?,
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

    fn kid_of(self, is_type: fn(Option<&str>) -> bool) -> Result<String, VerifyError> {
        if !is_type(self.typ.as_deref()) {
            return Err(VerifyError::Type);
        }
        self.kid.filter(|kid| kid.len() <= MAX_KEY_ID_BYTES).ok_or(VerifyError::UnknownKey)
    }
}

/// Media types compare without case and may omit `application/` (RFC 7515 section 4.1.9).
fn is_access_token_type(typ: Option<&str>) -> bool {
    typ.is_some_and(|typ| {
        typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
    })
}

/// OpenID Connect asks for none.
fn is_id_token_type(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case("application/jwt"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Issuer, base64, claims};

    fn fault(token: &str) -> VerifyError {
        parse(token).expect_err(token)
    }

    fn replace_segment(token: &str, index: usize, with: &str) -> String {
        let mut segments: Vec<&str> = token.split('.').collect();
        segments[index] = with;
        segments.join(".")
    }

    #[test]
    fn a_good_token_gives_its_payload_to_its_key() {
        let issuer = Issuer::new();
        let token = issuer.sign_claims(&claims().to_string());
        let parsed = parse(&token).unwrap();
        assert_eq!(Some(parsed.kid()), issuer.ed25519_jwk().kid());
        assert_eq!(parsed.alg(), Algorithm::EdDsa);
        let keys = issuer.keys();
        let payload = parsed.verify(keys.find(parsed.kid()).unwrap()).unwrap();
        assert_eq!(payload, claims().to_string().as_bytes());
    }

    // S-145
    #[test]
    fn a_long_token_is_refused_before_it_is_decoded() {
        assert_eq!(fault(&"!".repeat(MAX_TOKEN_BYTES + 1)), VerifyError::TooLong);
        assert_eq!(fault(&".".repeat(1_000_000)), VerifyError::TooLong);
        assert_eq!(fault(&"!".repeat(MAX_TOKEN_BYTES)), VerifyError::Malformed);
    }

    // S-029, S-037
    #[test]
    fn there_are_exactly_three_segments() {
        let token = Issuer::new().sign_claims(&claims().to_string());
        let (two, _) = token.rsplit_once('.').unwrap();
        let (one, _) = two.rsplit_once('.').unwrap();
        let more = ["", ".", "..", "...", "AAAA"].map(|text| text.to_owned());
        let more = more.into_iter().chain([one.to_owned(), two.to_owned()]);
        let more =
            more.chain(["", "AAAA", "AAAA.AAAA", "AAAA.AAAA.AAAA"].map(|rest| format!("{token}.{rest}")));
        let more = more.chain([format!(".{token}"), token.replacen('.', "..", 1)]);
        for token in more {
            assert!(matches!(fault(&token), VerifyError::Malformed | VerifyError::Header), "{token}");
        }
    }

    // S-029
    #[test]
    fn base64_is_strict_in_every_segment() {
        let issuer = Issuer::new();
        // Lengths that leave unused bits in the last character of header and payload.
        let pad = |text: String| format!("{text}{}", " ".repeat((4 - text.len() % 3) % 3));
        let token = issuer.sign(&pad(issuer.header().to_string()), &pad(claims().to_string()));
        assert!(parse(&token).is_ok());
        for index in 0..3 {
            let segment = token.split('.').nth(index).unwrap();
            let last = segment.chars().last().unwrap();
            let stray = char::from(last as u8 + 1);
            let mutants = [
                format!("{segment}="),
                format!("{segment}=="),
                format!("{segment}\n"),
                format!(" {segment}"),
                format!("{} {}", &segment[..4], &segment[4..]),
                format!("+{}", &segment[1..]),
                format!("/{}", &segment[1..]),
                format!("{}{stray}", &segment[..segment.len() - 1]),
                format!("é{}", &segment[2..]),
            ];
            for mutant in mutants {
                assert_eq!(
                    fault(&replace_segment(&token, index, &mutant)),
                    VerifyError::Malformed,
                    "{mutant}"
                );
            }
        }
    }

    // S-021
    #[test]
    fn none_and_unknown_algorithms_are_refused_with_and_without_a_signature() {
        let issuer = Issuer::new();
        let spellings =
            ["none", "None", "NONE", "nOnE", "", "HS384", "PS256", "eddsa", "EdDSA ", "Ed25519"].map(Some);
        for alg in spellings.into_iter().chain([None]) {
            let mut header = issuer.header();
            match alg {
                Some(alg) => header["alg"] = json!(alg),
                None => drop(header.as_object_mut().unwrap().remove("alg")),
            }
            let signed = issuer.sign_header(&header.to_string());
            assert_eq!(fault(&signed), VerifyError::Algorithm, "{alg:?}");
            assert_eq!(fault(&replace_segment(&signed, 2, "")), VerifyError::Algorithm, "{alg:?}");
        }
    }

    // S-024, S-029, S-037
    #[test]
    fn members_that_bring_keys_or_change_the_form_are_refused() {
        let issuer = Issuer::new();
        let own_key = serde_json::to_value(issuer.ed25519_jwk()).unwrap();
        let table = [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(null)),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("jwk", own_key),
            ("jku", json!("https://auth.example.com/.well-known/jwks.json")),
            ("x5u", json!("https://evil.example/cert.pem")),
            ("x5c", json!(["MIIB"])),
            ("zip", json!("DEF")),
            ("enc", json!("A256GCM")),
        ];
        for (name, value) in table {
            let mut header = issuer.header();
            header[name] = value;
            assert_eq!(fault(&issuer.sign_header(&header.to_string())), VerifyError::Header, "{name}");
        }
        let mut header = issuer.header();
        header["x-unknown"] = json!({"is": "ignored"});
        assert!(parse(&issuer.sign_header(&header.to_string())).is_ok());
    }

    // S-029
    #[test]
    fn a_header_that_is_no_object_or_repeats_a_member_is_refused() {
        let issuer = Issuer::new();
        let good = issuer.header().to_string();
        let inner = &good[1..good.len() - 1];
        let mutants = [
            format!("{{{inner},\"alg\":\"EdDSA\"}}"),
            format!("{{{inner},\"kid\":\"other\"}}"),
            format!("{{{inner},\"a\":1,\"a\":1}}"),
            format!("{{{inner},\"\\u0061lg\":\"none\"}}"),
            format!("[{good}]"),
            format!("{good}{good}"),
            format!("{{{inner},}}"),
            format!("{{{inner},\"deep\":{}{}}}", "[".repeat(40), "]".repeat(40)),
            r#"["EdDSA","at+jwt","kid"]"#.to_owned(),
            r#""EdDSA""#.to_owned(),
            "null".to_owned(),
            String::new(),
        ];
        for header in mutants {
            assert_eq!(fault(&issuer.sign_header(&header)), VerifyError::Header, "{header}");
        }
        let bytes = base64(b"{\"alg\":\"EdDSA\",\"x\":\"\xff\"}");
        assert_eq!(fault(&format!("{bytes}.e30.AAAA")), VerifyError::Header);
    }

    // S-025
    #[test]
    fn only_an_access_token_type_is_taken() {
        let issuer = Issuer::new();
        let typed = |typ: serde_json::Value| {
            let mut header = issuer.header();
            header["typ"] = typ;
            issuer.sign_header(&header.to_string())
        };
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(parse(&typed(json!(typ))).is_ok(), "{typ}");
        }
        for typ in ["JWT", "jwt", "", "at", "at+jwt ", "logout+jwt", "dpop+jwt", "text/at+jwt", "at+jwt;v=1"]
        {
            assert_eq!(fault(&typed(json!(typ))), VerifyError::Type, "{typ}");
        }
        assert_eq!(fault(&typed(json!(null))), VerifyError::Type);
        let mut header = issuer.header();
        header.as_object_mut().unwrap().remove("typ");
        assert_eq!(fault(&issuer.sign_header(&header.to_string())), VerifyError::Type);
    }

    // S-033
    #[test]
    fn a_missing_or_overlong_kid_is_refused() {
        let issuer = Issuer::new();
        let with_kid = |kid: serde_json::Value| {
            let mut header = issuer.header();
            header["kid"] = kid;
            issuer.sign_header(&header.to_string())
        };
        assert!(parse(&with_kid(json!("k".repeat(128)))).is_ok());
        assert_eq!(fault(&with_kid(json!("k".repeat(129)))), VerifyError::UnknownKey);
        assert_eq!(fault(&with_kid(json!(null))), VerifyError::UnknownKey);
        assert_eq!(fault(&with_kid(json!(7))), VerifyError::Header);
        let header = json!({"alg": "EdDSA", "typ": "at+jwt"});
        assert_eq!(fault(&issuer.sign_header(&header.to_string())), VerifyError::UnknownKey);
    }

    #[test]
    fn debug_shows_nothing_of_the_token() {
        let token = Issuer::new().sign_claims(&claims().to_string());
        assert_eq!(format!("{:?}", parse(&token).unwrap()), "Unverified { alg: EdDsa, .. }");
    }
}
