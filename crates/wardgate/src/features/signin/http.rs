//! `/auth/login` and `/auth/session`.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use crate::authn::{CurrentUser, cookie};
use crate::features::tokens::{FIRST_PARTY, TokenPair};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::{FormOrJson, Json};
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
use crate::web::origin::Asked;
use crate::web::routes::{Access, Route, route};

/// The OAuth2 password form (RFC 6749 §4.3.2), or its two fields as JSON.
struct PasswordLogin {
    identifier: String,
    password: String,
    scope: Option<String>,
}

impl FromFields for PasswordLogin {
    fn from_fields(fields: &mut Fields) -> Self {
        let identifier = fields.identifier(if fields.is_form() { "username" } else { "email" });
        let password = fields.text("password");
        if !fields.is_form() {
            return Self { identifier, password, scope: None };
        }
        if fields.optional_text("grant_type").is_some_and(|grant| grant != "password") {
            fields.fault("grant_type", "unsupported", "must be password or absent");
        }
        if fields.optional_text("client_id").is_some_and(|client| client != FIRST_PARTY) {
            fields.fault("client_id", "unknown_client", "names no registered client; leave it out");
        }
        fields.optional_text("client_secret");
        Self { identifier, password, scope: fields.optional_text("scope") }
    }
}

async fn login(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    FormOrJson(body): FormOrJson<PasswordLogin>,
) -> Result<axum::Json<TokenPair>, AuthError> {
    let PasswordLogin { identifier, password, scope } = body;
    let signed_in = gate.signin().with_password(&tenant, &identifier, &password, scope.as_deref(), &source);
    signed_in.await.map(axum::Json)
}

pub(crate) struct BrowserLogin {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl FromFields for BrowserLogin {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { email: fields.identifier("email"), password: fields.text("password") }
    }
}

/// Signing a victim in to an account of the attacker's is an attack as well, so the page must be a known one
/// although no cookie is needed (S-053).
async fn open_session(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    Json(BrowserLogin { email, password }): Json<BrowserLogin>,
) -> Result<impl IntoResponse, AuthError> {
    if !gate.origins().admit(&Method::POST, &headers, Asked::Directly) {
        return Err(AuthError::CrossSite);
    }
    // Two cookies of the name are no reason to keep somebody out; the new one takes the place of either.
    let held = cookie(&headers, &gate.cookie().name(&tenant.slug)).ok().flatten();
    let signed_in = gate.signin().browser_with_password(&tenant, &email, &password, held, &source).await?;
    let set = [(SET_COOKIE, gate.cookie().set(&tenant.slug, &signed_in))];
    Ok((set, axum::Json(json!({ "message": "Logged in" }))))
}

async fn close_session(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
) -> Result<impl IntoResponse, AuthError> {
    let principal = current.principal();
    let session = principal.session().ok_or(AuthError::InsufficientPermissions)?;
    gate.sessions().end_own(principal.tenant, current.user().id, session, &source).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, gate.cookie().clear(&tenant.slug))]))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let form = texts(&["username", "password"], &["grant_type", "scope", "client_id", "client_secret"]);
    let login_route = route(
        &Method::POST,
        "/auth/login",
        Access::Public,
        login,
        operation("tokens", "Sign in with a password")
            .form_or_json(&form, &texts(&["email", "password"], &[]))
            .answers(200, "Tokens", &schema("TokenPair"))
            .refuses(&["incorrect_credentials", "invalid_scope", "rate_limited", "busy", "unavailable"]),
    );
    vec![
        login_route,
        route(
            &Method::POST,
            "/auth/session",
            Access::Public,
            open_session,
            operation("sessions", "Sign a browser in: it gets a cookie")
                .json(&texts(&["email", "password"], &[]))
                .answers(200, "Signed in; the cookie is set", &json!({ "type": "object" }))
                .refuses(&["incorrect_credentials", "cross_site", "rate_limited", "busy", "unavailable"]),
        ),
        route(
            &Method::DELETE,
            "/auth/session",
            Access::SignedIn,
            close_session,
            operation("sessions", "End this session")
                .answers_empty(204, "The cookie opens nothing more")
                .refuses(&["insufficient_permissions"]),
        ),
    ]
}
