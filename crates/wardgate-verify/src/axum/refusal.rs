//! Why a request was refused, and how that looks from outside.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::error::VerifyError;

/// Why a request was refused: a problem of RFC 9457 with the codes and texts that Wardgate itself answers with, and
/// the challenge that RFC 6750 section 3 asks for.
///
/// The text of an error, [`VerifyError`]'s too, is for the log; the answer does not tell what was wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No token was sent: 401 with a bare challenge.
    #[error("no access token was sent")]
    Missing,
    /// The token is not good: 401 with `invalid_token`.
    #[error(transparent)]
    Invalid(#[from] VerifyError),
    /// A token stands in the URL: 400.
    #[error("an access token was sent in the URL")]
    TokenInUrl,
    /// There are two `Authorization` headers: 400.
    #[error("two Authorization headers were sent")]
    TwoHeaders,
    /// The token names none of the roles: 403.
    #[error("the token names none of the roles that are asked for")]
    Role,
    /// The token does not name this scope: 403 with `insufficient_scope`.
    #[error("the token lacks the scope {0}")]
    Scope(String),
}

/// What stands in the body.
struct Problem {
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
}

const fn problem(
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
) -> Problem {
    Problem { code, status, title, detail }
}

impl Refusal {
    fn problem(&self) -> Problem {
        let (bad, unauthorized, forbidden) =
            (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
        let ambiguous = |detail| problem("ambiguous_credential", bad, "Ambiguous credential", detail);
        let denied = "Insufficient permissions";
        match self {
            Self::Missing => {
                problem("missing_credential", unauthorized, "Not authenticated", "Invalid credentials")
            }
            Self::Invalid(_) => {
                problem("invalid_credential", unauthorized, "Invalid credentials", "Invalid credentials")
            }
            Self::TokenInUrl => ambiguous("Send a token or key in its header, never in the URL"),
            Self::TwoHeaders => ambiguous("Send one Authorization header"),
            Self::Role => problem("insufficient_permissions", forbidden, denied, denied),
            Self::Scope(_) => problem("insufficient_scope", forbidden, "Insufficient scope", denied),
        }
    }

    /// A bare challenge where nothing was sent, else what is wrong with it (RFC 6750 section 3.1).
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Missing => Some(HeaderValue::from_static("Bearer")),
            Self::Invalid(_) => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
            Self::Scope(scope) => Some(scope_challenge(scope)),
            Self::TokenInUrl | Self::TwoHeaders | Self::Role => None,
        }
    }
}

/// The scope comes from the application; one that would end the quoted string is left out.
fn scope_challenge(scope: &str) -> HeaderValue {
    let bare = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
    // scope-token of RFC 6749 section 3.3, and the space between two.
    let may_stand = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !scope.bytes().all(may_stand) {
        return bare;
    }
    HeaderValue::from_str(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")).unwrap_or(bare)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Problem { code, status, title, detail } = self.problem();
        let body = json!({
            "type": format!("urn:wardgate:problem:{code}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
            "code": code,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
