//! Public keys in their JSON form (RFC 7517).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeSeed;
use serde::{Deserialize, Deserializer, Serialize};

use crate::algorithm::Algorithm;
use crate::json;

/// The members that hold private or symmetric key material (RFC 7518 section 6).
const SECRET_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A public key as a JSON Web Key.
///
/// It has no field for private or symmetric material, and reading JSON that carries any is an error, not a silent
/// drop: whoever publishes a secret has to hear of it. Other unknown members are ignored (RFC 7517 section 4).
/// A value of this type may be of a kind this crate does not know; [`crate::VerifyingKey::from_jwk`] judges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Jwk(Members);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members {
    pub(crate) kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_ops: Option<Vec<String>>,
}

impl Jwk {
    /// An Ed25519 public key (RFC 8037 section 2). Its `kid` is its thumbprint (RFC 7638).
    pub fn ed25519(public: &[u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public);
        let kid = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let key =
            Members { kty: "OKP".into(), crv: Some("Ed25519".into()), x: Some(x), ..Members::default() };
        Self(key.for_signing(Algorithm::EdDsa, kid))
    }

    /// A P-256 public key from its big-endian coordinates (RFC 7518 section 6.2). Its `kid` is its thumbprint.
    pub fn p256(x: &[u8; 32], y: &[u8; 32]) -> Self {
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let (crv, x, y) = (Some("P-256".into()), Some(x), Some(y));
        Self(Members { kty: "EC".into(), crv, x, y, ..Members::default() }.for_signing(Algorithm::Es256, kid))
    }

    /// An RSA public key from modulus and exponent, big-endian without leading zeros (RFC 7518 section 6.3). Its
    /// `kid` is its thumbprint.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
        let kid = thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let key = Members { kty: "RSA".into(), n: Some(n), e: Some(e), ..Members::default() };
        Self(key.for_signing(Algorithm::Rs256, kid))
    }

    /// The key's id, when it has one.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    pub(crate) fn members(&self) -> &Members {
        &self.0
    }
}

impl Members {
    fn for_signing(mut self, alg: Algorithm, kid: String) -> Self {
        self.kid = Some(kid);
        self.alg = Some(alg.as_str().to_owned());
        self.usage = Some("sig".to_owned());
        self
    }
}

/// SHA-256 over the canonical members, base64url (RFC 7638 section 3).
fn thumbprint(canonical: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::Object::new(SECRET_MEMBERS).deserialize(deserializer).map(Self)
    }
}

/// A list of public keys, as published at `/.well-known/jwks.json` (RFC 7517 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys, in no particular order.
    pub keys: Vec<Jwk>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Issuer, from_base64};

    // RFC 7638 section 3.1 and RFC 8037 appendix A.3.
    #[test]
    fn thumbprints_are_those_that_the_rfcs_publish() {
        let modulus = from_base64(concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK",
            "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic",
            "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3",
            "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        ));
        assert_eq!(Jwk::rsa(&modulus, &[1, 0, 1]).kid(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
        let point = from_base64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").try_into().unwrap();
        assert_eq!(Jwk::ed25519(&point).kid(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn a_set_writes_what_it_reads() {
        let issuer = Issuer::new();
        let set = JwkSet {
            keys: vec![issuer.ed25519_jwk(), issuer.p256_jwk(), Jwk::rsa(&[0xff; 256], &[1, 0, 1])],
        };
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<JwkSet>(&text).unwrap(), set);
    }

    #[test]
    fn the_published_form_has_the_members_of_its_kind() {
        let members = |jwk: Jwk| -> Vec<String> {
            let json = serde_json::to_value(jwk).unwrap();
            json.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(members(Issuer::new().ed25519_jwk()), ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!(members(Issuer::new().p256_jwk()), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(members(Jwk::rsa(&[0xff; 256], &[1, 0, 1])), ["alg", "e", "kid", "kty", "n", "use"]);
    }

    // S-032
    #[test]
    fn private_and_symmetric_members_cannot_be_read() {
        let public = json!({"kty": "RSA", "n": "AA", "e": "AQAB", "kid": "k"});
        assert!(serde_json::from_value::<Jwk>(public.clone()).is_ok());
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            for value in [json!("AA"), json!(null), json!([])] {
                let mut jwk: Value = public.clone();
                jwk[secret] = value;
                assert!(serde_json::from_value::<Jwk>(jwk.clone()).is_err(), "{jwk}");
                let set = json!({"keys": [public, jwk]});
                assert!(serde_json::from_value::<JwkSet>(set).is_err(), "{secret}");
            }
        }
    }

    // S-029
    #[test]
    fn a_repeated_member_is_refused() {
        for text in [r#"{"kty":"EC","kty":"RSA"}"#, r#"{"kty":"EC","z":1,"z":1}"#, r#"["EC"]"#, "{}"] {
            assert!(serde_json::from_str::<Jwk>(text).is_err(), "{text}");
        }
    }
}
