//! The one table from errors to RFC 9457 problems.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::kernel::error::{AuthError, FieldFault};

/// Both of draft-ietf-httpapi-ratelimit-headers; they stand beside `Retry-After` in every 429.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How one error looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProblemRow {
    /// The stable word for machines; also the end of the `type` URL.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem it is.
    pub title: &'static str,
    /// What a FastAPI client looks for; some errors replace it by something more precise.
    pub detail: &'static str,
    /// What to do about it; stands in the generated documentation.
    pub remedy: &'static str,
}

const fn row(
    code: &'static str,
    status: u16,
    title: &'static str,
    detail: &'static str,
    remedy: &'static str,
) -> ProblemRow {
    ProblemRow { code, status, title, detail, remedy }
}

/// Every problem Wardgate answers with, in the order of their statuses.
pub const PROBLEMS: &[ProblemRow] = &[
    row(
        "malformed_body",
        400,
        "Malformed body",
        "The body is malformed",
        "Send well-formed UTF-8 JSON, an object at the top, or a well-formed form.",
    ),
    row(
        "ambiguous_credential",
        400,
        "Ambiguous credential",
        "Send one credential, in one place",
        "Send one token or key, once, in its header, never in the URL.",
    ),
    row(
        "inactive_user",
        400,
        "Inactive user",
        "Inactive user",
        "The token is good but its user was deactivated; an administrator can enable the user.",
    ),
    row(
        "invalid_scope",
        400,
        "Invalid scope",
        "Invalid scope",
        "Ask for permissions that the user's roles allow, separated by single spaces, or for no scope.",
    ),
    row(
        "invalid_cursor",
        400,
        "Invalid cursor",
        "Invalid cursor",
        "Take next_cursor from the page before, unchanged, or leave it out.",
    ),
    row(
        "invalid_token",
        400,
        "Invalid token",
        "Invalid or expired token",
        "Ask for another: it was used, replaced by a newer one, has ended, or is for somebody else or another browser.",
    ),
    row(
        "invalid_state",
        400,
        "Invalid state",
        "Invalid or expired sign-in",
        "Begin the sign-in anew, in the same browser: it was used, took over ten minutes, or was begun elsewhere.",
    ),
    row(
        "incorrect_credentials",
        401,
        "Incorrect credentials",
        "Incorrect credentials",
        "Check address and password. The answer is the same whatever the cause.",
    ),
    row(
        "missing_credential",
        401,
        "Not authenticated",
        "Invalid credentials",
        "Send an access token (Authorization: Bearer …), an API key (X-API-Key: wgk_…) or the session's cookie.",
    ),
    row(
        "invalid_credential",
        401,
        "Invalid credentials",
        "Invalid credentials",
        "The token is malformed, expired, revoked or of another issuer: refresh it or sign in again.",
    ),
    row(
        "invalid_refresh_token",
        401,
        "Invalid refresh token",
        "Invalid refresh token",
        "The token was used, revoked or has expired: sign in again.",
    ),
    row(
        "invalid_setup_token",
        401,
        "Invalid setup token",
        "Invalid or expired token",
        "Restart the server for a new link, or make the superadmin on the command line.",
    ),
    row("missing_api_key", 401, "API key required", "API Key required", "Send an API key: X-API-Key: wgk_…"),
    row(
        "registration_closed",
        403,
        "Registration closed",
        "Registration is closed",
        "Ask an administrator for an account.",
    ),
    row("wrong_password", 403, "Wrong password", "Incorrect credentials", "The current password is wrong."),
    row(
        "insufficient_permissions",
        403,
        "Insufficient permissions",
        "Insufficient permissions",
        "The caller lacks the role or permission that this asks for.",
    ),
    row(
        "insufficient_scope",
        403,
        "Insufficient scope",
        "Insufficient permissions",
        "The scope of the token or key leaves this permission out: sign in with more scope or none, or use another key.",
    ),
    row(
        "invalid_api_key",
        403,
        "Invalid API key",
        "Invalid API Key",
        "The key is malformed, unknown, revoked, expired or not meant for this address, or its owner is inactive.",
    ),
    row(
        "tenant_suspended",
        403,
        "Tenant suspended",
        "This tenant is suspended",
        "Ask whoever runs the server; a superadmin can resume it.",
    ),
    row(
        "step_up_required",
        403,
        "Step-up required",
        "Confirm your password first",
        "Send the password to POST /auth/step-up, or sign in anew (through a provider with fresh=true), and try again within 15 minutes.",
    ),
    row(
        "linking_refused",
        403,
        "Linking refused",
        "This sign-in cannot be linked to an account",
        "Sign in to the account as before and link the provider there; or prove the address to the provider first.",
    ),
    row(
        "wrong_account",
        403,
        "Wrong account",
        "This link is for another account",
        "Sign in to the account that asked for the change, and send the token again: it was not used up.",
    ),
    row(
        "upstream_denied",
        403,
        "Provider not allowed",
        "The provider was not allowed to tell who you are",
        "Begin anew and allow it, or sign in another way.",
    ),
    row(
        "upstream_stale",
        403,
        "Provider did not ask anew",
        "The provider did not ask anew who you are",
        "Sign out at the provider and begin anew; or sign in by a mailed link, or set a password by mail.",
    ),
    row(
        "cross_site",
        403,
        "Cross-site request",
        "A page of another site sent this",
        "Send it from the API's own origin, list the page's origin in session.allowed_origins, or use a bearer token.",
    ),
    row("not_found", 404, "Not found", "Not Found", "Check the path and the id."),
    row(
        "method_not_allowed",
        405,
        "Method not allowed",
        "Method Not Allowed",
        "The Allow header names the methods of this path.",
    ),
    row(
        "email_taken",
        409,
        "E-mail taken",
        "Email already registered",
        "Sign in, or register another address.",
    ),
    row(
        "last_superadmin",
        409,
        "The last superadmin stays",
        "No superadmin who can sign in would be left",
        "Make another superadmin first.",
    ),
    row(
        "last_credential",
        409,
        "The last way to sign in stays",
        "Without it nobody could sign in to the account",
        "Set a password or link another provider first.",
    ),
    row(
        "provider_exists",
        409,
        "Provider exists",
        "There is a provider of this name",
        "Choose another name, or change that provider.",
    ),
    row(
        "too_many_providers",
        409,
        "Too many providers",
        "A tenant has at most 20 providers",
        "Remove one that is no longer used.",
    ),
    row(
        "role_exists",
        409,
        "Role exists",
        "There is a role of this name",
        "Choose another name, or change that role.",
    ),
    row("role_in_use", 409, "Role in use", "Somebody has this role", "Take it from its holders first."),
    row(
        "slug_taken",
        409,
        "Slug taken",
        "This slug is taken, or was",
        "Choose another slug; those of deleted tenants are never used again.",
    ),
    row(
        "last_owner",
        409,
        "The last owner stays",
        "An organization keeps an owner",
        "Make another member an owner first, or delete the organization.",
    ),
    row(
        "too_many_organizations",
        409,
        "Too many organizations",
        "A user makes at most 100 organizations",
        "Delete one that is no longer used.",
    ),
    row(
        "too_many_members",
        409,
        "Too many members",
        "An organization has at most 10,000 members",
        "Remove members who are gone.",
    ),
    row(
        "too_many_invitations",
        409,
        "Too many invitations",
        "An organization has at most 1,000 open invitations",
        "Take back those that nobody will accept.",
    ),
    row(
        "host_taken",
        409,
        "Host taken",
        "Another tenant is reached under this host name",
        "Take it away from that tenant first.",
    ),
    row(
        "default_tenant",
        409,
        "The default tenant stays",
        "The tenant at the root stays as it is",
        "Change the configuration instead.",
    ),
    row("name_taken", 409, "Name taken", "There is a service account of this name", "Choose another name."),
    row(
        "too_many_api_keys",
        409,
        "Too many API keys",
        "The owner has 100 live keys",
        "Revoke one that is no longer used.",
    ),
    row("body_too_large", 413, "Body too large", "The body is longer than 64 KiB", "Send a shorter body."),
    row(
        "unsupported_media_type",
        415,
        "Unsupported media type",
        "Unsupported media type",
        "Send application/json; sign-in, refresh and logout also take application/x-www-form-urlencoded.",
    ),
    row(
        "untrusted_host",
        421,
        "Untrusted host",
        "A development server answers under loopback names only",
        "Use localhost or 127.0.0.1, or run without --dev.",
    ),
    row(
        "invalid_fields",
        422,
        "Invalid fields",
        "Some fields are not valid",
        "The errors member names each field and what is wrong with it.",
    ),
    row(
        "rate_limited",
        429,
        "Too many requests",
        "Too many requests",
        "Wait as long as Retry-After says. Nothing was looked at: a right password gets the same answer.",
    ),
    row(
        "headers_too_large",
        431,
        "Headers too large",
        "The headers are longer than 16 KiB",
        "Send fewer or shorter headers; clear the cookies of this host.",
    ),
    row(
        "internal_error",
        500,
        "Internal error",
        "Internal error",
        "Nothing you can do; the server's log has the cause under the request id of this answer.",
    ),
    row(
        "mail_not_configured",
        501,
        "No mail",
        "This server sends no mail",
        "Configure [mail], or do without what needs it.",
    ),
    row(
        "upstream_failed",
        502,
        "Provider failed",
        "The provider could not be asked, or its answer does not hold",
        "Try again, or sign in another way; the server's log has the cause under the request id of this answer.",
    ),
    row(
        "busy",
        503,
        "Busy",
        "Too busy to answer now",
        "Wait as long as Retry-After says. Nothing was changed.",
    ),
    row(
        "unavailable",
        503,
        "Unavailable",
        "The database cannot be reached",
        "Wait as long as Retry-After says. A change that was not acknowledged may be tried again.",
    ),
];

impl AuthError {
    /// The stable word for machines, as in the answer's `code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IncorrectCredentials => "incorrect_credentials",
            Self::MissingCredential => "missing_credential",
            Self::InvalidCredential => "invalid_credential",
            Self::InactiveUser => "inactive_user",
            Self::AmbiguousCredential(_) => "ambiguous_credential",
            // A replay is answered like any other bad token: whoever replays learns nothing (S-039).
            Self::InvalidRefreshToken | Self::RefreshReused => "invalid_refresh_token",
            Self::InvalidScope(_) => "invalid_scope",
            Self::EmailTaken => "email_taken",
            Self::RegistrationClosed => "registration_closed",
            Self::WrongPassword => "wrong_password",
            Self::InsufficientPermissions => "insufficient_permissions",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::StepUpRequired => "step_up_required",
            Self::CrossSite => "cross_site",
            Self::MissingApiKey => "missing_api_key",
            Self::InvalidApiKey => "invalid_api_key",
            Self::TooManyApiKeys => "too_many_api_keys",
            Self::RoleExists => "role_exists",
            Self::RoleInUse => "role_in_use",
            Self::TenantSuspended => "tenant_suspended",
            Self::LastOwner => "last_owner",
            Self::TooManyOrganizations => "too_many_organizations",
            Self::TooManyMembers => "too_many_members",
            Self::TooManyInvitations => "too_many_invitations",
            Self::SlugTaken => "slug_taken",
            Self::HostTaken => "host_taken",
            Self::DefaultTenant => "default_tenant",
            Self::NameTaken => "name_taken",
            Self::InvalidToken => "invalid_token",
            Self::InvalidState => "invalid_state",
            Self::UpstreamDenied => "upstream_denied",
            Self::UpstreamStale => "upstream_stale",
            Self::UpstreamFailed => "upstream_failed",
            Self::LinkingRefused => "linking_refused",
            Self::WrongAccount => "wrong_account",
            Self::LastCredential => "last_credential",
            Self::ProviderExists => "provider_exists",
            Self::TooManyProviders => "too_many_providers",
            Self::MailNotConfigured => "mail_not_configured",
            Self::InvalidSetupToken => "invalid_setup_token",
            Self::LastSuperadmin => "last_superadmin",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MalformedBody(_) => "malformed_body",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::HeadersTooLarge => "headers_too_large",
            Self::InvalidFields(_) => "invalid_fields",
            Self::InvalidCursor => "invalid_cursor",
            Self::UntrustedHost => "untrusted_host",
            Self::RateLimited { .. } => "rate_limited",
            Self::Busy { .. } => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Internal { .. } => "internal_error",
        }
    }

    fn row(&self) -> ProblemRow {
        let found = PROBLEMS.iter().find(|row| row.code == self.code());
        found.copied().expect("a test looks every code up in the table")
    }

    fn precise_detail(&self) -> Option<String> {
        match self {
            Self::MalformedBody(what) | Self::AmbiguousCredential(what) => Some((*what).to_owned()),
            Self::InvalidScope(refused) if !refused.is_empty() => Some(format!("Invalid scope: {refused}")),
            _ => None,
        }
    }

    /// RFC 6750 §3: a bare challenge where no credential was sent, else what is wrong with it.
    fn challenge(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::MissingCredential | Self::IncorrectCredentials | Self::InvalidRefreshToken => {
                "Bearer".to_owned()
            }
            Self::RefreshReused | Self::InvalidSetupToken => "Bearer".to_owned(),
            Self::InvalidCredential => "Bearer error=\"invalid_token\"".to_owned(),
            Self::InsufficientScope(scope) => {
                format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
            }
            _ => return None,
        };
        HeaderValue::from_str(&text).ok()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } | Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Unavailable(_) => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// What limit was reached, and when there is room again (draft-ietf-httpapi-ratelimit-headers).
    fn rate_limit(&self) -> Option<(HeaderValue, HeaderValue)> {
        let Self::RateLimited { policy, quota, window, retry_after } = self else { return None };
        let declared = format!("\"{policy}\";q={quota};w={}", window.as_secs());
        let state = format!("\"{policy}\";r=0;t={}", retry_after.as_secs());
        Some((HeaderValue::from_str(&declared).ok()?, HeaderValue::from_str(&state).ok()?))
    }

    fn body(&self, row: &ProblemRow) -> Value {
        let detail = self.precise_detail().unwrap_or_else(|| row.detail.to_owned());
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("urn:wardgate:problem:{}", row.code)));
        body.insert("title".to_owned(), json!(row.title));
        body.insert("status".to_owned(), json!(row.status));
        body.insert("detail".to_owned(), json!(detail));
        body.insert("code".to_owned(), json!(row.code));
        if let Self::InvalidFields(faults) = self {
            body.insert("errors".to_owned(), faults.iter().map(field_json).collect());
        }
        Value::Object(body)
    }
}

fn field_json(fault: &FieldFault) -> Value {
    // RFC 6901: `~` and `/` in a name are escaped in a pointer.
    let name = fault.field.replace('~', "~0").replace('/', "~1");
    let pointer = if name.is_empty() { "#".to_owned() } else { format!("#/{name}") };
    json!({ "pointer": pointer, "code": fault.code, "detail": fault.detail })
}

impl AuthError {
    /// The answer as a page for people: its status and headers are the problem's.
    #[cfg(feature = "pages")]
    pub(crate) fn into_page(self, html: String) -> Response {
        let mut response = self.into_response();
        // It is in words already.
        let _ = Refusal::take(&mut response);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        *response.body_mut() = html.into();
        response
    }
}

/// What went wrong inside, for the log line that the envelope writes with the request's id.
#[derive(Clone)]
pub(crate) struct InternalCause(pub(crate) String);

/// What an answer refuses, for whoever puts it in other words.
#[cfg(feature = "pages")]
#[derive(Clone)]
pub(crate) struct Refusal(std::sync::Arc<AuthError>);

#[cfg(feature = "pages")]
impl Refusal {
    /// What this answer refuses; `None` if it does not.
    pub(crate) fn take(response: &mut Response) -> Option<AuthError> {
        std::sync::Arc::into_inner(response.extensions_mut().remove::<Self>()?.0)
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let row = self.row();
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body(&row).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if let Some((policy, state)) = self.rate_limit() {
            headers.insert(RATE_LIMIT_POLICY, policy);
            headers.insert(RATE_LIMIT, state);
        }
        if matches!(self, Self::Internal { .. } | Self::Unavailable(_)) {
            response.extensions_mut().insert(InternalCause(self.to_string()));
        }
        #[cfg(feature = "pages")]
        response.extensions_mut().insert(Refusal(std::sync::Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_error() -> Vec<AuthError> {
        vec![
            AuthError::IncorrectCredentials,
            AuthError::MissingCredential,
            AuthError::InvalidCredential,
            AuthError::InactiveUser,
            AuthError::AmbiguousCredential("Send one credential, in one place"),
            AuthError::InvalidRefreshToken,
            AuthError::RefreshReused,
            AuthError::InvalidScope("users:write".to_owned()),
            AuthError::EmailTaken,
            AuthError::RegistrationClosed,
            AuthError::WrongPassword,
            AuthError::InsufficientPermissions,
            AuthError::InsufficientScope("profile:write".to_owned()),
            AuthError::StepUpRequired,
            AuthError::CrossSite,
            AuthError::MissingApiKey,
            AuthError::InvalidApiKey,
            AuthError::TooManyApiKeys,
            AuthError::RoleExists,
            AuthError::RoleInUse,
            AuthError::NameTaken,
            AuthError::InvalidToken,
            AuthError::InvalidState,
            AuthError::UpstreamDenied,
            AuthError::UpstreamStale,
            AuthError::UpstreamFailed,
            AuthError::LinkingRefused,
            AuthError::WrongAccount,
            AuthError::LastCredential,
            AuthError::ProviderExists,
            AuthError::TooManyProviders,
            AuthError::MailNotConfigured,
            AuthError::TenantSuspended,
            AuthError::SlugTaken,
            AuthError::LastOwner,
            AuthError::TooManyOrganizations,
            AuthError::TooManyMembers,
            AuthError::TooManyInvitations,
            AuthError::HostTaken,
            AuthError::DefaultTenant,
            AuthError::InvalidSetupToken,
            AuthError::LastSuperadmin,
            AuthError::NotFound,
            AuthError::MethodNotAllowed,
            AuthError::MalformedBody("The body is not JSON"),
            AuthError::UnsupportedMediaType,
            AuthError::BodyTooLarge,
            AuthError::HeadersTooLarge,
            AuthError::InvalidFields(vec![FieldFault::new(
                "a/b",
                "unknown_field",
                "is not a field of this request",
            )]),
            AuthError::InvalidCursor,
            AuthError::UntrustedHost,
            AuthError::RateLimited {
                policy: "sign_in_source",
                quota: 30,
                window: Duration::from_secs(60),
                retry_after: Duration::from_secs(41),
            },
            AuthError::Busy { retry_after: Duration::from_millis(2500) },
            AuthError::Unavailable("SECRET connection text".to_owned()),
            AuthError::internal("insert user", "SECRET sql text"),
        ]
    }

    #[test]
    fn every_problem_as_it_goes_over_the_wire() {
        let mut wire = String::new();
        for error in every_error() {
            let row = error.row();
            let body = serde_json::to_string(&error.body(&row)).unwrap();
            let response = error.into_response();
            wire.push_str(&format!("{} {body}\n", response.status().as_u16()));
            for name in [WWW_AUTHENTICATE, RETRY_AFTER, RATE_LIMIT_POLICY, RATE_LIMIT] {
                if let Some(value) = response.headers().get(&name) {
                    wire.push_str(&format!("    {name}: {}\n", value.to_str().unwrap()));
                }
            }
        }
        assert!(!wire.contains("SECRET"), "an internal text must not leave the process");
        insta::assert_snapshot!(wire);
    }

    #[test]
    fn the_table_and_the_errors_name_the_same_codes() {
        let mut used: Vec<_> = every_error().iter().map(AuthError::code).collect();
        let mut listed: Vec<_> = PROBLEMS.iter().map(|row| row.code).collect();
        used.sort_unstable();
        used.dedup();
        listed.sort_unstable();
        assert_eq!(used, listed);
    }
}
