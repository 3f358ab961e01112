//! The claims of an access token, shared by issuer and verifier so that they cannot disagree.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::VerifyError;
use crate::json;

/// The claims of a Wardgate access token (RFC 9068 section 2.2).
///
/// Times are whole seconds since 1970-01-01T00:00:00Z. Claims not listed here are ignored when reading, so that an
/// issuer may add some. Read a payload with [`AccessClaims::from_json`], which also refuses repeated keys that no
/// field reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer: the tenant's exact issuer URL.
    pub iss: String,
    /// The principal's stable id.
    pub sub: String,
    /// The resource servers the token is for.
    pub aud: Audience,
    /// The second at which the token stops being valid.
    #[serde(deserialize_with = "seconds")]
    pub exp: i64,
    /// The second at which the token was issued.
    #[serde(deserialize_with = "seconds")]
    pub iat: i64,
    /// The second before which the token is not valid; absent means `iat` alone rules.
    #[serde(default, deserialize_with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The token's own id.
    pub jti: String,
    /// The session the token belongs to.
    pub sid: String,
    /// The client the token was issued to; `first-party` without one.
    pub client_id: String,
    /// The granted scopes, separated by spaces; absent when none was asked for.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The principal's role names at the time of issue.
    pub roles: Vec<String>,
    /// The tenant's slug.
    pub tenant: String,
    /// The organization that the session acts in; absent when it acts in none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
}

impl AccessClaims {
    /// Reads the claims from a token's payload.
    ///
    /// # Errors
    /// [`VerifyError::Claims`] when the payload is no JSON object, a claim is missing, appears twice or has the
    /// wrong type. A claim that fails to parse counts as failed, never as absent (RFC 8725 section 3.9): `null`, a
    /// float, a string or a negative number is no time.
    pub fn from_json(payload: &[u8]) -> Result<Self, VerifyError> {
        json::read(payload, &[]).map_err(VerifyError::Claims)
    }
}

pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    if seconds < 0 {
        return Err(de::Error::custom("a time before 1970"));
    }
    Ok(seconds)
}

pub(crate) fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Reads a value that may be absent but, once there, must not be `null`.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Whom a token is for: one string or a list of strings (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(Vec<String>);

impl Audience {
    /// Says whether `audience` is named exactly; no prefix, case or trailing slash is forgiven.
    pub fn contains(&self, audience: &str) -> bool {
        self.0.iter().any(|one| one == audience)
    }

    /// The names, in the order of the token.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl From<String> for Audience {
    fn from(audience: String) -> Self {
        Self(vec![audience])
    }
}

impl From<Vec<String>> for Audience {
    fn from(audiences: Vec<String>) -> Self {
        Self(audiences)
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: de::Error>(self, audience: &str) -> Result<Audience, E> {
        Ok(Audience::from(audience.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Audience, A::Error> {
        let mut audiences = Vec::new();
        while let Some(name) = names.next_element()? {
            audiences.push(name);
        }
        Ok(Audience(audiences))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn claims() -> AccessClaims {
        AccessClaims::from_json(testing::claims().to_string().as_bytes()).unwrap()
    }

    #[test]
    fn claims_write_what_they_read_and_leave_out_what_is_absent() {
        let mut claims = claims();
        assert_eq!(serde_json::to_value(&claims).unwrap(), testing::claims());
        claims.nbf = Some(5);
        claims.scope = Some("read".into());
        let json = serde_json::to_string(&claims).unwrap();
        assert_eq!(AccessClaims::from_json(json.as_bytes()), Ok(claims));
    }

    #[test]
    fn one_audience_is_written_as_a_string_and_several_as_a_list() {
        let one = Audience::from("a".to_owned());
        assert_eq!(serde_json::to_string(&one).unwrap(), r#""a""#);
        let two = Audience::from(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(serde_json::to_string(&two).unwrap(), r#"["a","b"]"#);
        assert_eq!(two.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(serde_json::from_str::<Audience>(r#"["a"]"#).unwrap(), one);
    }
}
