//! The one call a resource server needs.

use crate::claims::AccessClaims;
use crate::error::VerifyError;
use crate::jws;
use crate::keyset::KeySet;
use crate::policy::Policy;

/// Verifies access tokens with a policy and a set of keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    policy: Policy,
    keys: KeySet,
}

impl Verifier {
    /// A verifier that accepts what `policy` allows and `keys` signed.
    pub fn new(policy: Policy, keys: KeySet) -> Self {
        Self { policy, keys }
    }

    /// Replaces the keys, after a rotation.
    pub fn set_keys(&mut self, keys: KeySet) {
        self.keys = keys;
    }

    /// Checks form, key, algorithm, signature and claims of `token` at `now_seconds` since 1970.
    ///
    /// The claims are as of the token's issue: a session that was ended since is not seen here.
    ///
    /// # Errors
    /// The first [`VerifyError`] found; no claim is looked at before the signature holds.
    pub fn verify(&self, token: &str, now_seconds: i64) -> Result<AccessClaims, VerifyError> {
        judge(&jws::parse(token)?, &self.policy, &self.keys, now_seconds)
    }
}

/// Everything about a token whose form is right.
pub(crate) fn judge(
    token: &jws::Unverified<'_>,
    policy: &Policy,
    keys: &KeySet,
    now_seconds: i64,
) -> Result<AccessClaims, VerifyError> {
    let key = keys.find(token.kid()).ok_or(VerifyError::UnknownKey)?;
    let claims = AccessClaims::from_json(token.verify(key)?)?;
    policy.check(&claims, now_seconds)?;
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::ClaimFault;
    use crate::testing::{self, AUDIENCE, ISSUER, Issuer, NOW, SHARED_SECRET, claims, sign_hmac};

    fn verdict(issuer: &Issuer, token: &str) -> Result<AccessClaims, VerifyError> {
        issuer.verifier().verify(token, NOW)
    }

    /// The verdict on a well-signed token with one claim replaced.
    fn with_claim(name: &str, value: Value) -> Result<AccessClaims, VerifyError> {
        let issuer = Issuer::new();
        let mut claims = claims();
        claims[name] = value;
        verdict(&issuer, &issuer.sign_claims(&claims.to_string()))
    }

    #[test]
    fn good_tokens_of_each_kind_of_key_are_taken() {
        let issuer = Issuer::new();
        let payload = claims().to_string();
        let p256 = json!({"alg": "ES256", "typ": "at+jwt", "kid": issuer.p256_jwk().kid()});
        let shared = json!({"alg": "HS256", "typ": "at+jwt", "kid": "shared"});
        for token in [
            issuer.sign_claims(&payload),
            issuer.sign_p256(&p256.to_string(), &payload),
            sign_hmac(&SHARED_SECRET, &shared.to_string(), &payload),
        ] {
            let claims = verdict(&issuer, &token).unwrap();
            assert_eq!(
                (claims.sub.as_str(), claims.exp, claims.nbf, claims.scope),
                ("usr_1", NOW + 900, None, None)
            );
        }
    }

    #[test]
    fn unknown_claims_are_ignored_and_optional_ones_read() {
        let claims = with_claim("x-later", json!({"any": ["thing"]})).unwrap();
        assert_eq!(claims.roles, ["user"]);
        assert_eq!(with_claim("scope", json!("read write")).unwrap().scope.unwrap(), "read write");
        assert_eq!(with_claim("nbf", json!(NOW)).unwrap().nbf, Some(NOW));
        assert!(with_claim("aud", json!(["https://other.example", AUDIENCE])).is_ok());
    }

    #[test]
    fn any_character_changed_breaks_the_token() {
        let issuer = Issuer::new();
        let token = issuer.sign_claims(&claims().to_string());
        for position in 0..token.len() {
            let other = if token.as_bytes()[position] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..position], &token[position + 1..]);
            assert!(verdict(&issuer, &changed).is_err(), "{changed}");
        }
    }

    // S-021
    #[test]
    fn an_empty_or_foreign_signature_is_refused() {
        let issuer = Issuer::new();
        let token = issuer.sign_claims(&claims().to_string());
        let (input, _) = token.rsplit_once('.').unwrap();
        for signature in [vec![], vec![0; 64], vec![0xff; 64], vec![1; 63], vec![1; 65]] {
            let token = format!("{input}.{}", testing::base64(signature));
            assert_eq!(verdict(&issuer, &token), Err(VerifyError::Signature), "{token}");
        }
    }

    // S-022
    #[test]
    fn an_hmac_keyed_with_the_public_key_is_refused_in_every_encoding() {
        let issuer = Issuer::new();
        let jwk = issuer.ed25519_jwk();
        let json = serde_json::to_value(&jwk).unwrap();
        let raw = testing::from_base64(json["x"].as_str().unwrap());
        // The fixed head of an Ed25519 SubjectPublicKeyInfo (RFC 8410 section 4).
        let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], raw.as_slice()]
            .concat();
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        let secrets = [
            raw.clone(),
            der,
            pem.clone().into_bytes(),
            format!("{pem}\n").into_bytes(),
            json["x"].as_str().unwrap().as_bytes().to_vec(),
            json.to_string().into_bytes(),
            serde_json::to_vec(&jwk).unwrap(),
        ];
        let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": jwk.kid()}).to_string();
        for secret in secrets {
            let token = sign_hmac(&secret, &header, &claims().to_string());
            assert_eq!(verdict(&issuer, &token), Err(VerifyError::Algorithm));
        }
    }

    // S-023
    #[test]
    fn the_key_decides_the_algorithm_even_if_the_signature_is_right() {
        let issuer = Issuer::new();
        for alg in ["ES256", "RS256", "HS256"] {
            let mut header = issuer.header();
            header["alg"] = json!(alg);
            assert_eq!(
                verdict(&issuer, &issuer.sign_header(&header.to_string())),
                Err(VerifyError::Algorithm)
            );
        }
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "shared"}).to_string();
        let token = sign_hmac(&SHARED_SECRET, &header, &claims().to_string());
        assert_eq!(verdict(&issuer, &token), Err(VerifyError::Algorithm));
    }

    // S-033
    #[test]
    fn an_unknown_retired_or_hostile_kid_finds_nothing() {
        let issuer = Issuer::new();
        for kid in ["", "..", "../../etc/passwd", "' OR 1=1 --", "nul\0", "shared\0", "SHARED", "shared "] {
            let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}).to_string();
            assert_eq!(
                verdict(&issuer, &issuer.sign_header(&header)),
                Err(VerifyError::UnknownKey),
                "{kid:?}"
            );
        }
        let mut verifier = issuer.verifier();
        let token = issuer.sign_claims(&claims().to_string());
        verifier.set_keys(KeySet::default());
        assert_eq!(verifier.verify(&token, NOW), Err(VerifyError::UnknownKey));
    }

    #[test]
    fn a_key_is_not_used_for_a_token_that_names_another() {
        let issuer = Issuer::new();
        let (keys, token) = (issuer.keys(), issuer.sign_claims(&claims().to_string()));
        let other = keys.find("shared").unwrap();
        assert_eq!(jws::parse(&token).unwrap().verify(other), Err(VerifyError::UnknownKey));
    }

    // S-026
    #[test]
    fn a_required_claim_that_is_missing_is_refused() {
        let issuer = Issuer::new();
        let names: Vec<String> = claims().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.len(), 10);
        for name in names {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(&name);
            let token = issuer.sign_claims(&claims.to_string());
            assert_eq!(verdict(&issuer, &token), Err(VerifyError::Claims(ClaimFault::Shape)), "{name}");
        }
    }

    // S-026
    #[test]
    fn a_claim_of_the_wrong_type_counts_as_failed_not_absent() {
        let wrong_times =
            [json!(null), json!("1800000000"), json!(1.8e9), json!(-1), json!([NOW]), json!(true)];
        for name in ["exp", "iat", "nbf"] {
            for value in wrong_times.iter().cloned().chain([json!(u64::MAX)]) {
                let shown = format!("{name}: {value}");
                assert_eq!(with_claim(name, value), Err(VerifyError::Claims(ClaimFault::Shape)), "{shown}");
            }
        }
        for name in ["iss", "sub", "jti", "sid", "client_id", "scope", "tenant"] {
            for value in [json!(null), json!(1), json!(["x"]), json!({})] {
                assert_eq!(with_claim(name, value), Err(VerifyError::Claims(ClaimFault::Shape)), "{name}");
            }
        }
        for value in
            [json!(null), json!(1), json!({}), json!([AUDIENCE, 1]), json!([[AUDIENCE]]), json!(true)]
        {
            assert_eq!(with_claim("aud", value), Err(VerifyError::Claims(ClaimFault::Shape)));
        }
        assert_eq!(with_claim("roles", json!("admin")), Err(VerifyError::Claims(ClaimFault::Shape)));
    }

    // S-026
    #[test]
    fn numbers_that_json_allows_and_times_do_not_are_refused() {
        let issuer = Issuer::new();
        let good = claims().to_string();
        let exp = format!("\"exp\":{}", NOW + 900);
        assert!(good.contains(&exp));
        for number in [
            "1e400",
            "-1e400",
            "1.8e9",
            "18e8",
            "1800000900.0",
            "-0",
            "99999999999999999999",
            "01800000900",
            "0x7",
            "NaN",
        ] {
            let payload = good.replace(&exp, &format!("\"exp\":{number}"));
            let fault = verdict(&issuer, &issuer.sign_claims(&payload)).unwrap_err();
            assert!(matches!(fault, VerifyError::Claims(_)), "{number}: {fault:?}");
        }
    }

    // S-029
    #[test]
    fn a_payload_with_repeated_keys_or_that_is_no_object_is_refused() {
        let issuer = Issuer::new();
        let good = claims().to_string();
        let inner = &good[1..good.len() - 1];
        for payload in [
            format!("{{{inner},\"sub\":\"usr_2\"}}"),
            format!("{{{inner},\"x\":1,\"x\":2}}"),
            format!("{{{inner},\"\\u0073ub\":\"usr_2\"}}"),
            format!("[{good}]"),
            format!("{good}{good}"),
            format!("{{{inner},\"x\":{}{}}}", "[".repeat(40), "]".repeat(40)),
            String::new(),
        ] {
            let fault = verdict(&issuer, &issuer.sign_claims(&payload)).unwrap_err();
            assert!(matches!(fault, VerifyError::Claims(_)), "{payload}: {fault:?}");
        }
    }

    // S-028
    #[test]
    fn issuer_and_audience_are_compared_exactly() {
        let near = |right: &str| {
            [
                format!("{right}/"),
                format!("{right}.evil.example"),
                right[..right.len() - 1].to_owned(),
                right.to_uppercase(),
                format!(" {right}"),
                right.replace("https", "http"),
                format!("{right}/t/other"),
                String::new(),
            ]
        };
        for wrong in near(ISSUER) {
            assert_eq!(with_claim("iss", json!(wrong)), Err(VerifyError::Issuer), "{wrong}");
        }
        for wrong in near(AUDIENCE) {
            assert_eq!(with_claim("aud", json!(wrong)), Err(VerifyError::Audience), "{wrong}");
            assert_eq!(with_claim("aud", json!([wrong, "x"])), Err(VerifyError::Audience), "{wrong}");
        }
        assert_eq!(with_claim("aud", json!([])), Err(VerifyError::Audience));
    }

    // S-027
    #[test]
    fn times_hold_to_the_second() {
        assert!(with_claim("exp", json!(NOW - 59)).is_ok());
        assert_eq!(with_claim("exp", json!(NOW - 60)), Err(VerifyError::Expired));
        assert_eq!(with_claim("exp", json!(0)), Err(VerifyError::Expired));
        for name in ["iat", "nbf"] {
            assert!(with_claim(name, json!(NOW + 60)).is_ok(), "{name}");
            assert_eq!(with_claim(name, json!(NOW + 61)), Err(VerifyError::NotYet), "{name}");
            assert_eq!(with_claim(name, json!(i64::MAX)), Err(VerifyError::NotYet), "{name}");
        }
        assert!(with_claim("exp", json!(i64::MAX)).is_ok());
    }

    #[test]
    fn no_claim_is_looked_at_before_the_signature_holds() {
        let issuer = Issuer::new();
        let token = issuer.sign_claims("no claims at all");
        let (input, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{input}.{}", testing::base64([0; 64]));
        assert_eq!(verdict(&issuer, &forged), Err(VerifyError::Signature));
    }
}
