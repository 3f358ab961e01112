//! `/auth/api-keys`, and those of a service account below `/admin/service-accounts`.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{ApiKeyChange, ApiKeyView, Period, Quota, RateLimit};
use super::service::NewApiKey;
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{ApiKeyId, ServiceAccountId};
use crate::kernel::page::Page;
use crate::kernel::principal::Subject;
use crate::kernel::source::Source;
use crate::web::body::{FormOrJson, Json};
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{Operation, operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

/// How long a rotated key goes on when nothing else is asked, in seconds.
const OVERLAP: i64 = 24 * 60 * 60;
/// The longest it may go on, in seconds.
const MAX_OVERLAP: i64 = 90 * 24 * 60 * 60;
const DAY: i64 = 24 * 60 * 60;

#[derive(Serialize)]
struct NewApiKeyView {
    #[serde(flatten)]
    view: ApiKeyView,
    /// This once.
    key: String,
}

fn created(made: NewApiKey) -> (StatusCode, axum::Json<NewApiKeyView>) {
    let key = made.text.as_str().to_owned();
    (StatusCode::CREATED, axum::Json(NewApiKeyView { view: ApiKeyView::from(made.key), key }))
}

fn key_id(text: &str) -> Result<ApiKeyId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

fn account(text: &str) -> Result<Subject, AuthError> {
    text.parse::<ServiceAccountId>().map(Subject::from).map_err(|_| AuthError::NotFound)
}

impl FromFields for RateLimit {
    fn from_fields(fields: &mut Fields) -> Self {
        let requests = fields.number("requests", 1..=1_000_000);
        let seconds = fields.number("seconds", 1..=DAY);
        Self { requests: requests.unsigned_abs() as u32, seconds: seconds.unsigned_abs() as u32 }
    }
}

impl FromFields for Quota {
    fn from_fields(fields: &mut Fields) -> Self {
        let requests = fields.number("requests", 1..=1_000_000_000_000).unsigned_abs();
        let period = fields.text("period").parse().unwrap_or_else(|()| {
            fields.fault("period", "unknown_word", "must be day or month");
            Period::Day
        });
        Self { requests, period }
    }
}

/// Every field of a change but the name.
fn limits(fields: &mut Fields, name: Option<String>) -> ApiKeyChange {
    ApiKeyChange {
        name,
        scopes: fields.nullable_texts("scopes"),
        expires_at: fields.nullable_time("expires_at"),
        networks: fields.nullable_texts("networks"),
        rate_limit: fields.nullable_object("rate_limit"),
        quota: fields.nullable_object("quota"),
    }
}

impl FromFields for ApiKeyChange {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.optional_text("name");
        limits(fields, name)
    }
}

struct NewKey(ApiKeyChange);

impl FromFields for NewKey {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.text("name");
        Self(limits(fields, Some(name)))
    }
}

struct Rotation {
    overlap: Duration,
}

impl FromFields for Rotation {
    fn from_fields(fields: &mut Fields) -> Self {
        let seconds = fields.optional_number("overlap", 0..=MAX_OVERLAP).unwrap_or(OVERLAP);
        Self { overlap: Duration::from_secs(seconds.unsigned_abs()) }
    }
}

async fn page(
    gate: &Wardgate,
    current: &CurrentPrincipal,
    owner: Subject,
    query: &PageQuery,
) -> Result<axum::Json<Page<ApiKeyView>>, AuthError> {
    let tenant = current.tenant();
    let list = format!("api_keys/{tenant}/{owner}");
    let page = query.request(gate.cursors(), &list)?;
    let (keys, next) = gate.api_keys().list(tenant, owner, page).await?;
    let items = keys.into_iter().map(ApiKeyView::from).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    query: PageQuery,
) -> Result<axum::Json<Page<ApiKeyView>>, AuthError> {
    page(&gate, &current, current.principal().subject, &query).await
}

async fn list_of_account(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Path(id): Path<String>,
    query: PageQuery,
) -> Result<axum::Json<Page<ApiKeyView>>, AuthError> {
    let owner = account(&id)?;
    gate.service_accounts().get(current.tenant(), id.parse().map_err(|_| AuthError::NotFound)?).await?;
    page(&gate, &current, owner, &query).await
}

async fn create(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewKey(new)): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<NewApiKeyView>), AuthError> {
    let (principal, caller) = (*current.principal(), current.caller(source));
    gate.api_keys().create(principal.tenant, principal.subject, new, &caller).await.map(created)
}

async fn create_for_account(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(NewKey(new)): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<NewApiKeyView>), AuthError> {
    let tenant = current.tenant();
    gate.api_keys().create(tenant, account(&id)?, new, &current.caller(source)).await.map(created)
}

async fn update(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(change): Json<ApiKeyChange>,
) -> Result<axum::Json<ApiKeyView>, AuthError> {
    let (principal, caller) = (*current.principal(), current.caller(source));
    let keys = gate.api_keys();
    let changed = keys.update(principal.tenant, principal.subject, key_id(&id)?, change, &caller);
    Ok(axum::Json(ApiKeyView::from(changed.await?)))
}

async fn revoke(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (principal, caller) = (*current.principal(), current.caller(source));
    gate.api_keys().revoke(principal.tenant, principal.subject, key_id(&id)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_of_account(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.api_keys().revoke(tenant, account(&id)?, key_id(&key)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    FormOrJson(Rotation { overlap }): FormOrJson<Rotation>,
) -> Result<(StatusCode, axum::Json<NewApiKeyView>), AuthError> {
    let (principal, caller) = (*current.principal(), current.caller(source));
    let keys = gate.api_keys();
    keys.rotate(principal.tenant, principal.subject, key_id(&id)?, overlap, &caller).await.map(created)
}

async fn rotate_of_account(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path((id, key)): Path<(String, String)>,
    FormOrJson(Rotation { overlap }): FormOrJson<Rotation>,
) -> Result<(StatusCode, axum::Json<NewApiKeyView>), AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.api_keys().rotate(tenant, account(&id)?, key_id(&key)?, overlap, &caller).await.map(created)
}

fn change_schema(required: &[&str]) -> Value {
    let rate_limit = json!({
        "type": ["object", "null"], "required": ["requests", "seconds"], "additionalProperties": false,
        "properties": { "requests": { "type": "integer" }, "seconds": { "type": "integer" } },
    });
    let quota = json!({
        "type": ["object", "null"], "required": ["requests", "period"], "additionalProperties": false,
        "properties": { "requests": { "type": "integer" }, "period": { "enum": ["day", "month"] } },
    });
    let list = json!({ "type": ["array", "null"], "items": { "type": "string" } });
    json!({
        "type": "object", "required": required, "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "maxLength": 64 }, "scopes": list, "networks": list,
            "expires_at": { "type": ["string", "null"], "format": "date-time" },
            "rate_limit": rate_limit, "quota": quota,
        },
    })
}

/// The named schemas of this feature.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    let mut view = json!({
        "type": "object",
        "required": ["id", "name", "prefix", "scopes", "networks", "rate_limit", "quota", "created_at", "expires_at"],
        "properties": {
            "id": { "type": "string" }, "name": { "type": "string" }, "prefix": { "type": "string" },
            "scopes": { "type": ["array", "null"], "items": { "type": "string" } }, "networks": strings(),
            "rate_limit": { "type": ["object", "null"] }, "quota": { "type": ["object", "null"] },
            "created_at": { "type": "string", "format": "date-time" }, "expires_at": time, "replaced_at": time,
            "last_used_at": time, "last_used_address": { "type": ["string", "null"] },
        },
    });
    let plain = view.clone();
    view["properties"]["key"] = json!({ "type": "string", "description": "The key itself, this once" });
    vec![("ApiKey", plain), ("NewApiKey", view)]
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let overlap = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "overlap": { "type": "integer", "description": "seconds", "default": OVERLAP } },
    });
    let making = |operation: Operation| {
        operation
            .json(&change_schema(&["name"]))
            .answers(201, "The key, shown this once", &schema("NewApiKey"))
            .refuses(&["too_many_api_keys"])
    };
    let rotating = |operation: Operation| {
        operation
            .path_parameter("id")
            .form_or_json(&overlap, &overlap)
            .answers(201, "The successor, shown this once", &schema("NewApiKey"))
            .refuses(&["not_found", "too_many_api_keys"])
    };
    let keys = |summary| operation("API keys", summary);
    vec![
        route(
            &Method::GET,
            "/auth/api-keys",
            Access::Permission("api_keys:read"),
            list,
            keys("The own live keys, newest first").paged().answers(
                200,
                "A page of keys",
                &page_of(&schema("ApiKey")),
            ),
        ),
        route(
            &Method::POST,
            "/auth/api-keys",
            Access::SteppedUp("api_keys:write"),
            create,
            making(keys("Make a key of one's own")),
        ),
        route(
            &Method::PATCH,
            "/auth/api-keys/{id}",
            Access::SteppedUp("api_keys:write"),
            update,
            keys("Change what a key is for and what it may do")
                .path_parameter("id")
                .json(&change_schema(&[]))
                .answers(200, "The key as changed", &schema("ApiKey"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::DELETE,
            "/auth/api-keys/{id}",
            Access::Permission("api_keys:write"),
            revoke,
            keys("Revoke a key")
                .path_parameter("id")
                .answers_empty(204, "It opens nothing more")
                .refuses(&["not_found"]),
        ),
        route(
            &Method::POST,
            "/auth/api-keys/{id}/rotate",
            Access::SteppedUp("api_keys:write"),
            rotate,
            rotating(keys("Give a key a successor; the old one ends with the overlap")),
        ),
        route(
            &Method::GET,
            "/admin/service-accounts/{id}/api-keys",
            Access::Permission("service_accounts:read"),
            list_of_account,
            keys("A service account's live keys, newest first")
                .path_parameter("id")
                .paged()
                .answers(200, "A page of keys", &page_of(&schema("ApiKey")))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::POST,
            "/admin/service-accounts/{id}/api-keys",
            Access::SteppedUp("service_accounts:write"),
            create_for_account,
            making(keys("Make a key for a service account").path_parameter("id")).refuses(&["not_found"]),
        ),
        route(
            &Method::DELETE,
            "/admin/service-accounts/{id}/api-keys/{key}",
            Access::Permission("service_accounts:write"),
            revoke_of_account,
            keys("Revoke a service account's key")
                .path_parameter("id")
                .path_parameter("key")
                .answers_empty(204, "It opens nothing more")
                .refuses(&["not_found"]),
        ),
        route(
            &Method::POST,
            "/admin/service-accounts/{id}/api-keys/{key}/rotate",
            Access::SteppedUp("service_accounts:write"),
            rotate_of_account,
            rotating(keys("Give a service account's key a successor")).path_parameter("key"),
        ),
    ]
}
