//! `/auth/refresh` and `/auth/logout`.

use axum::Extension;
use axum::extract::{Path, State};
use http::request::Parts;
use http::{Method, StatusCode};

use super::model::{ExchangedToken, FIRST_PARTY, TokenPair};
use crate::authn::{CurrentPrincipal, bearer};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::SessionId;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::FormOrJson;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
use crate::web::routes::{Access, Route, route};

struct RefreshRequest {
    refresh_token: String,
    client_id: Option<String>,
    scope: Option<String>,
}

impl FromFields for RefreshRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        let refresh_token = fields.text("refresh_token");
        if !fields.is_form() {
            return Self { refresh_token, client_id: None, scope: None };
        }
        if fields.optional_text("grant_type").is_some_and(|grant| grant != "refresh_token") {
            fields.fault("grant_type", "unsupported", "must be refresh_token or absent");
        }
        // No client has a secret yet; with an id of its own it is refused as another client.
        fields.optional_text("client_secret");
        Self {
            refresh_token,
            client_id: fields.optional_text("client_id"),
            scope: fields.optional_text("scope"),
        }
    }
}

async fn refresh(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    FormOrJson(request): FormOrJson<RefreshRequest>,
) -> Result<axum::Json<TokenPair>, AuthError> {
    let client = request.client_id.as_deref().unwrap_or(FIRST_PARTY);
    let scope = request.scope.as_deref();
    gate.tokens().refresh(&tenant, &request.refresh_token, client, scope, &source).await.map(axum::Json)
}

struct LogoutRequest {
    refresh_token: Option<String>,
}

impl FromFields for LogoutRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { refresh_token: fields.optional_text("refresh_token") }
    }
}

async fn logout(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    parts: Parts,
    FormOrJson(request): FormOrJson<LogoutRequest>,
) -> Result<StatusCode, AuthError> {
    let refresh_token = request.refresh_token.as_deref();
    let session = bearer_session(&gate, &tenant, &parts, refresh_token.is_some(), &source).await?;
    gate.tokens().sign_out_with(&tenant, session, refresh_token, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The bearer token's session. One that has ended is passed over when a refresh token stands beside it.
async fn bearer_session(
    gate: &Wardgate,
    tenant: &CurrentTenant,
    parts: &Parts,
    beside: bool,
    source: &Source,
) -> Result<Option<SessionId>, AuthError> {
    let Some(token) = bearer(parts)? else { return Ok(None) };
    match gate.tokens().authenticate(tenant, token, source).await {
        Ok(known) => match known.principal.session() {
            Some(session) => Ok(Some(session)),
            None => Err(AuthError::InvalidCredential),
        },
        Err(AuthError::InvalidCredential | AuthError::InactiveUser) if beside => Ok(None),
        Err(other) => Err(other),
    }
}

async fn exchange(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<axum::Json<ExchangedToken>, AuthError> {
    let key = id.parse().map_err(|_| AuthError::NotFound)?;
    gate.tokens().exchange(&tenant, current.authenticated(), key, &source).await.map(axum::Json)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let refresh_form = texts(&["refresh_token"], &["grant_type", "scope", "client_id", "client_secret"]);
    vec![
        route(
            &Method::POST,
            "/auth/refresh",
            Access::Public,
            refresh,
            operation("tokens", "Exchange a refresh token for new tokens")
                .form_or_json(&refresh_form, &texts(&["refresh_token"], &[]))
                .answers(200, "New tokens; the old refresh token is used up", &schema("TokenPair"))
                .refuses(&["invalid_refresh_token", "invalid_scope", "rate_limited", "busy", "unavailable"]),
        ),
        route(
            &Method::POST,
            "/auth/api-keys/{id}/token",
            Access::ApiKeyHolder,
            exchange,
            operation("tokens", "Exchange the API key that is sent for an access token")
                .path_parameter("id")
                .answers(200, "An access token; it dies with the key", &schema("ExchangedToken"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::POST,
            "/auth/logout",
            Access::TokenHolder,
            logout,
            operation("tokens", "End this session, by its bearer token or its refresh token")
                .form_or_json(&texts(&[], &["refresh_token"]), &texts(&[], &["refresh_token"]))
                .answers_empty(204, "The session and all its tokens are dead")
                .refuses(&["invalid_refresh_token"]),
        ),
    ]
}
