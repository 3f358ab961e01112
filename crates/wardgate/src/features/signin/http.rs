//! `/auth/login`.

use axum::Extension;
use axum::extract::State;
use http::Method;

use crate::features::tokens::{FIRST_PARTY, TokenPair};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::source::Source;
use crate::web::body::FormOrJson;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
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
    Extension(source): Extension<Source>,
    FormOrJson(body): FormOrJson<PasswordLogin>,
) -> Result<axum::Json<TokenPair>, AuthError> {
    let PasswordLogin { identifier, password, scope } = body;
    let signed_in =
        gate.signin().with_password(TenantId::DEFAULT, &identifier, &password, scope.as_deref(), &source);
    signed_in.await.map(axum::Json)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let form = texts(&["username", "password"], &["grant_type", "scope", "client_id", "client_secret"]);
    vec![route(
        &Method::POST,
        "/auth/login",
        Access::Public,
        login,
        operation("tokens", "Sign in with a password")
            .form_or_json(&form, &texts(&["email", "password"], &[]))
            .answers(200, "Tokens", &schema("TokenPair"))
            .refuses(&["incorrect_credentials", "invalid_scope", "rate_limited", "busy", "unavailable"]),
    )]
}
