//! Which credential a request presents.

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::kernel::error::AuthError;

/// The bearer token, if one is presented (RFC 6750 §2.1). Another scheme counts as no credential; two
/// headers, or a token in the URL, are refused (S-035): logs and histories keep URLs.
pub(crate) fn bearer(parts: &Parts) -> Result<Option<&str>, AuthError> {
    let query = parts.uri.query().unwrap_or_default();
    if query.split('&').any(|pair| pair.split('=').next() == Some("access_token")) {
        return Err(AuthError::AmbiguousCredential(
            "Send the token in the Authorization header, never in the URL",
        ));
    }
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(AuthError::AmbiguousCredential("Send one Authorization header"));
    }
    let text = header.to_str().map_err(|_| AuthError::InvalidCredential)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' ')))
}
