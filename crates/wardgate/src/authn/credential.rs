//! Which credential a request presents.

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::kernel::error::AuthError;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Names that clients put a token or key under in a URL, where logs and histories would keep it (S-035, S-064).
const IN_URL: &[&str] = &["access_token", "api_key", "apikey", "x-api-key"];

/// The one credential of a request.
pub(crate) enum Credential<'r> {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer(&'r str),
    /// `X-API-Key`.
    ApiKey(&'r str),
    /// The session's cookie.
    Cookie(&'r str),
}

/// The credential that is presented, if one is. Two of them are refused rather than joined (S-064); but a cookie
/// beside an `Authorization` header is ignored, since a browser attaches it unasked.
pub(crate) fn credential<'r>(
    parts: &'r Parts,
    cookie_name: &str,
) -> Result<Option<Credential<'r>>, AuthError> {
    refuse_in_url(parts)?;
    let authorization = authorization(parts)?;
    let key = only(&parts.headers, &API_KEY, "Send one X-API-Key header")?;
    let key = key.map(|key| key.to_str().map_err(|_| AuthError::InvalidApiKey)).transpose()?;
    let bearer = authorization.and_then(bearer_token);
    match (bearer, key) {
        (Some(_), Some(_)) => {
            Err(AuthError::AmbiguousCredential("Send a bearer token or an API key, not both"))
        }
        (Some(token), None) => Ok(Some(Credential::Bearer(token))),
        (None, key) => match (key, cookie(&parts.headers, cookie_name)?) {
            (Some(_), Some(_)) => {
                Err(AuthError::AmbiguousCredential("Send an API key or the session's cookie, not both"))
            }
            (Some(key), None) => Ok(Some(Credential::ApiKey(key))),
            (None, Some(cookie)) if authorization.is_none() => Ok(Some(Credential::Cookie(cookie))),
            (None, _) => Ok(None),
        },
    }
}

/// The bearer token, if one is presented; another scheme counts as none.
pub(crate) fn bearer(parts: &Parts) -> Result<Option<&str>, AuthError> {
    refuse_in_url(parts)?;
    Ok(authorization(parts)?.and_then(bearer_token))
}

fn authorization(parts: &Parts) -> Result<Option<&str>, AuthError> {
    let header = only(&parts.headers, &AUTHORIZATION, "Send one Authorization header")?;
    header.map(|header| header.to_str().map_err(|_| AuthError::InvalidCredential)).transpose()
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

/// The value of the one cookie of this name. Two were planted by somebody: which is meant cannot be told (S-058).
pub(crate) fn cookie<'r>(headers: &'r HeaderMap, name: &str) -> Result<Option<&'r str>, AuthError> {
    // Strangers' cookies may hold bytes that are no text; they are not ours to refuse.
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(AuthError::AmbiguousCredential("Two cookies of one name were sent")),
        (found, _) => Ok(found),
    }
}

fn refuse_in_url(parts: &Parts) -> Result<(), AuthError> {
    let query = parts.uri.query().unwrap_or_default();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    if query.split('&').any(|pair| IN_URL.contains(&name(pair).as_str())) {
        return Err(AuthError::AmbiguousCredential("Send a token or key in its header, never in the URL"));
    }
    Ok(())
}

fn only<'r>(
    headers: &'r HeaderMap,
    name: &HeaderName,
    several: &'static str,
) -> Result<Option<&'r HeaderValue>, AuthError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(AuthError::AmbiguousCredential(several)),
        (value, _) => Ok(value),
    }
}
