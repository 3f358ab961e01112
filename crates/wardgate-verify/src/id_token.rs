//! ID tokens: what an OpenID provider says of somebody who signs in through it (OpenID Connect Core section 2).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, de};

use crate::algorithm::Algorithm;
use crate::claims::{Audience, optional_seconds, present, seconds};
use crate::error::{ClaimFault, VerifyError};
use crate::json;
use crate::jws::Unverified;
use crate::key::VerifyingKey;

/// The most that clocks may differ, in seconds.
pub const LEEWAY_SECONDS: i64 = 60;

/// The longest subject (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;

/// The claims that are read; all others are ignored.
///
/// Whoever the token is about is `iss` and `sub` together. The address is what the provider knows of it: it may be
/// another's tomorrow, and is nobody's unless the provider says that it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdClaims {
    /// The provider, as its discovery document names it.
    pub iss: String,
    /// The user's id there, never given to another.
    pub sub: String,
    aud: Audience,
    #[serde(default, deserialize_with = "present")]
    azp: Option<String>,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    #[serde(deserialize_with = "seconds")]
    iat: i64,
    #[serde(default, deserialize_with = "present")]
    nonce: Option<String>,
    #[serde(default, deserialize_with = "present")]
    at_hash: Option<String>,
    /// When the user last proved to the provider who they are, in seconds since 1970, where it tells: days ago, if it
    /// answers out of a session of its own.
    #[serde(default, deserialize_with = "optional_seconds")]
    pub auth_time: Option<i64>,
    /// An address.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the provider has seen that the address is the user's.
    #[serde(default, deserialize_with = "truth")]
    pub email_verified: bool,
    /// Microsoft's word for it: the owner of the address's domain is the directory's.
    #[serde(default, deserialize_with = "truth")]
    pub xms_edov: bool,
    /// What the user is called.
    #[serde(default)]
    pub name: Option<String>,
}

/// What an ID token has to say to be the answer to one request.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider's issuer, compared byte for byte.
    pub issuer: &'a str,
    /// The client that asked.
    pub client_id: &'a str,
    /// What was sent with the request.
    pub nonce: &'a str,
    /// The access token that came with the ID token.
    pub access_token: Option<&'a str>,
}

impl Expected<'_> {
    /// Checks signature and claims of a token at `now_seconds` since 1970 (OpenID Connect Core sections 3.1.3.7 and
    /// 3.1.3.8).
    ///
    /// # Errors
    /// The first [`VerifyError`] found; no claim is looked at before the signature holds. HS256 is refused whatever the
    /// key: providers sign with keys that they publish.
    pub fn judge(
        &self,
        token: &Unverified<'_>,
        key: &VerifyingKey,
        now_seconds: i64,
    ) -> Result<IdClaims, VerifyError> {
        if token.alg() == Algorithm::Hs256 {
            return Err(VerifyError::Algorithm);
        }
        let claims: IdClaims = json::read(token.verify(key)?, &[]).map_err(VerifyError::Claims)?;
        self.check(&claims, token.alg(), now_seconds)?;
        Ok(claims)
    }

    fn check(&self, claims: &IdClaims, algorithm: Algorithm, now: i64) -> Result<(), VerifyError> {
        if claims.iss != self.issuer {
            return Err(VerifyError::Issuer);
        }
        if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT || claims.sub.contains(char::is_control) {
            return Err(VerifyError::Claims(ClaimFault::Shape));
        }
        if !claims.aud.contains(self.client_id) {
            return Err(VerifyError::Audience);
        }
        // A token for several clients was asked for by one of them, and any of the others could pass it on.
        let is_ours = match &claims.azp {
            Some(party) => party == self.client_id,
            None => claims.aud.iter().count() == 1,
        };
        if !is_ours {
            return Err(VerifyError::AuthorizedParty);
        }
        if claims.nonce.as_deref() != Some(self.nonce) {
            return Err(VerifyError::Nonce);
        }
        if now >= claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(VerifyError::Expired);
        }
        // A sign-in that is yet to come would count as fresh for longer than any other.
        if [Some(claims.iat), claims.auth_time]
            .into_iter()
            .flatten()
            .any(|at| at > now.saturating_add(LEEWAY_SECONDS))
        {
            return Err(VerifyError::NotYet);
        }
        match (&claims.at_hash, self.access_token) {
            (Some(hash), Some(token)) if *hash == half_hash(algorithm, token) => Ok(()),
            (Some(_), _) => Err(VerifyError::AccessTokenHash),
            (None, _) => Ok(()),
        }
    }
}

/// The left half of the token's hash, by the hash function of the ID token's signature.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let function = if algorithm == Algorithm::EdDsa { &digest::SHA512 } else { &digest::SHA256 };
    let hash = digest::digest(function, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

/// Reads `true`; also as Apple writes it, a string, and as Microsoft does, a number. `null` counts as `false`.
pub fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Truth {
        Flag(bool),
        Word(String),
        Number(u8),
        Nothing(()),
    }
    match Truth::deserialize(deserializer)? {
        Truth::Flag(flag) => Ok(flag),
        Truth::Word(word) if word == "true" || word == "1" => Ok(true),
        Truth::Word(word) if word == "false" || word == "0" => Ok(false),
        Truth::Number(number @ 0..=1) => Ok(number == 1),
        Truth::Nothing(()) => Ok(false),
        Truth::Word(_) | Truth::Number(_) => Err(de::Error::custom("neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jws;
    use crate::testing::{Issuer, NOW, sign_hmac};

    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://op.example.com",
        client_id: "client",
        nonce: "n-1",
        access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
    };

    fn claims() -> Value {
        json!({
            "iss": "https://op.example.com", "sub": "248289761001", "aud": "client", "nonce": "n-1",
            "exp": NOW + 300, "iat": NOW,
        })
    }

    fn judged(issuer: &Issuer, token: &str, expected: &Expected<'_>) -> Result<IdClaims, VerifyError> {
        let token = jws::parse_id_token(token)?;
        let keys = issuer.keys();
        expected.judge(&token, keys.find(token.kid()).ok_or(VerifyError::UnknownKey)?, NOW)
    }

    fn signed(claims: &Value) -> Result<IdClaims, VerifyError> {
        let issuer = Issuer::new();
        let header = json!({ "alg": "ES256", "kid": issuer.p256_jwk().kid() });
        judged(&issuer, &issuer.sign_p256(&header.to_string(), &claims.to_string()), &EXPECTED)
    }

    fn with(name: &str, value: Value) -> Result<IdClaims, VerifyError> {
        let mut claims = claims();
        claims[name] = value;
        signed(&claims)
    }

    // S-069
    #[test]
    fn claims_that_answer_another_request_are_refused() {
        assert!(signed(&claims()).is_ok());
        let table = [
            ("iss", json!("https://op.example.com/"), VerifyError::Issuer),
            ("iss", json!("https://OP.example.com"), VerifyError::Issuer),
            ("sub", json!(""), VerifyError::Claims(ClaimFault::Shape)),
            ("sub", json!("x".repeat(256)), VerifyError::Claims(ClaimFault::Shape)),
            ("sub", json!(7), VerifyError::Claims(ClaimFault::Shape)),
            ("aud", json!("client2"), VerifyError::Audience),
            ("aud", json!([]), VerifyError::Audience),
            ("aud", json!(["client", "other"]), VerifyError::AuthorizedParty),
            ("azp", json!("other"), VerifyError::AuthorizedParty),
            ("azp", json!(null), VerifyError::Claims(ClaimFault::Shape)),
            ("nonce", json!("n-2"), VerifyError::Nonce),
            ("nonce", json!(null), VerifyError::Claims(ClaimFault::Shape)),
            ("exp", json!(NOW - 60), VerifyError::Expired),
            ("exp", json!("1"), VerifyError::Claims(ClaimFault::Shape)),
            ("iat", json!(NOW + 61), VerifyError::NotYet),
            ("auth_time", json!(NOW + 61), VerifyError::NotYet),
            ("auth_time", json!(-1), VerifyError::Claims(ClaimFault::Shape)),
            ("auth_time", json!("1"), VerifyError::Claims(ClaimFault::Shape)),
            ("auth_time", json!(null), VerifyError::Claims(ClaimFault::Shape)),
            ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RA"), VerifyError::AccessTokenHash),
            ("email_verified", json!("yes"), VerifyError::Claims(ClaimFault::Shape)),
            ("email_verified", json!(2), VerifyError::Claims(ClaimFault::Shape)),
        ];
        for (name, value, fault) in table {
            assert_eq!(with(name, value.clone()), Err(fault), "{name}: {value}");
        }
        for name in ["iss", "sub", "aud", "exp", "iat"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(signed(&claims), Err(VerifyError::Claims(ClaimFault::Shape)), "{name}");
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove("nonce");
        assert_eq!(signed(&without), Err(VerifyError::Nonce));
    }

    #[test]
    fn what_providers_really_send_passes() {
        assert!(with("exp", json!(NOW - 59)).is_ok() && with("iat", json!(NOW + 60)).is_ok());
        assert_eq!(signed(&claims()).unwrap().auth_time, None);
        assert_eq!(with("auth_time", json!(NOW + 60)).unwrap().auth_time, Some(NOW + 60));
        assert!(with("aud", json!(["client"])).is_ok());
        let mut several = claims();
        (several["aud"], several["azp"]) = (json!(["client", "other"]), json!("client"));
        assert!(signed(&several).is_ok());
        for (value, verified) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(1), true),
            (json!("1"), true),
            (json!(false), false),
            (json!("false"), false),
            (json!(0), false),
            (json!(null), false),
        ] {
            assert_eq!(with("email_verified", value.clone()).unwrap().email_verified, verified, "{value}");
        }
        assert_eq!(with("name", json!(null)).unwrap().name, None);
    }

    // OpenID Connect Core, appendix A.3 and A.4: the hash that belongs to the access token.
    #[test]
    fn the_access_token_beside_it_is_the_one_that_it_names() {
        assert!(with("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")).is_ok());
        let issuer = Issuer::new();
        let mut claims = claims();
        claims["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ");
        let header = json!({ "alg": "ES256", "kid": issuer.p256_jwk().kid() }).to_string();
        let token = issuer.sign_p256(&header, &claims.to_string());
        let alone = Expected { access_token: None, ..EXPECTED };
        assert_eq!(judged(&issuer, &token, &alone), Err(VerifyError::AccessTokenHash));
    }

    // S-021, S-022, S-025, S-069
    #[test]
    fn what_is_no_id_token_or_signed_by_nobody_is_refused() {
        let issuer = Issuer::new();
        let payload = claims().to_string();
        let kid = issuer.p256_jwk().kid().unwrap().to_owned();
        let sign = |header: Value| issuer.sign_p256(&header.to_string(), &payload);
        let verdict = |token: &str| judged(&issuer, token, &EXPECTED).unwrap_err();
        let good = sign(json!({ "alg": "ES256", "kid": kid, "typ": "JWT" }));
        assert!(judged(&issuer, &good, &EXPECTED).is_ok());
        for typ in ["at+jwt", "logout+jwt", ""] {
            assert_eq!(verdict(&sign(json!({ "alg": "ES256", "kid": kid, "typ": typ }))), VerifyError::Type);
        }
        assert_eq!(verdict(&sign(json!({ "alg": "none", "kid": kid }))), VerifyError::Algorithm);
        assert_eq!(verdict(&sign(json!({ "alg": "EdDSA", "kid": kid }))), VerifyError::Algorithm);
        assert_eq!(verdict(&sign(json!({ "alg": "ES256", "kid": "other" }))), VerifyError::UnknownKey);
        assert_eq!(verdict(&sign(json!({ "alg": "ES256" }))), VerifyError::UnknownKey);
        let ed25519 = issuer.ed25519_jwk();
        let swapped = sign(json!({ "alg": "EdDSA", "kid": ed25519.kid() }));
        assert_eq!(verdict(&swapped), VerifyError::Signature);
        let public = serde_json::to_vec(&issuer.p256_jwk()).unwrap();
        let confused = sign_hmac(&public, &json!({ "alg": "HS256", "kid": kid }).to_string(), &payload);
        assert_eq!(verdict(&confused), VerifyError::Algorithm);
        // Even where the set holds a shared secret.
        let shared = json!({ "alg": "HS256", "kid": "shared" }).to_string();
        let shared = sign_hmac(&crate::testing::SHARED_SECRET, &shared, &payload);
        assert_eq!(verdict(&shared), VerifyError::Algorithm);
    }

    #[test]
    fn the_hash_of_an_eddsa_token_is_sha_512() {
        let issuer = Issuer::new();
        let mut claims = claims();
        let hash = digest::digest(&digest::SHA512, EXPECTED.access_token.unwrap().as_bytes());
        claims["at_hash"] = json!(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32]));
        let header = json!({ "alg": "EdDSA", "kid": issuer.ed25519_jwk().kid() });
        let token = issuer.sign(&header.to_string(), &claims.to_string());
        assert!(judged(&issuer, &token, &EXPECTED).is_ok());
    }
}
