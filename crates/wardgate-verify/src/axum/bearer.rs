//! The one place in a request where a token may be.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::refusal::Refusal;

/// The bearer token, if one is presented (RFC 6750 section 2.1). Another scheme counts as no credential.
///
/// Two headers are refused, since a proxy may have checked the other one; and a token in the URL is refused (RFC 9700
/// section 4.3.2), since logs and histories keep URLs.
pub(super) fn bearer(parts: &Parts) -> Result<Option<&str>, Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    if query.split('&').any(|pair| pair.split('=').next() == Some("access_token")) {
        return Err(Refusal::TokenInUrl);
    }
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Refusal::TwoHeaders);
    }
    // Bytes that are no text are no token either, whatever the scheme.
    let text = header.to_str().map_err(|_| Refusal::Invalid(crate::VerifyError::Malformed))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' ')))
}
