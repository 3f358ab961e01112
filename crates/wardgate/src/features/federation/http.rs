//! `/auth/providers`, `/auth/login/{provider}` and `/auth/callback/{provider}`, `/auth/identities`, `/admin/providers`.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{ClientSecret, Flow, Preset, ProviderSettings, StoredProvider, is_name};
use super::providers::ProviderChange;
use super::service::{Begun, Callback, FLOW_LIFE, Finished, redirect_uri};
use crate::authn::{CurrentPrincipal, CurrentUser, cookie};
use crate::features::identities::IdentityView;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::IdentityId;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::kernel::time::Timestamp;
use crate::web::body::{Form, Json};
use crate::web::fields::{Fields, FromFields, Query};
use crate::web::next::{DEFAULT_PAGE, destination};
use crate::web::openapi::{operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

async fn providers(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let items = gate.federation().providers(tenant.id).await?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}

struct Wish {
    next: Option<String>,
    fresh: bool,
}

impl FromFields for Wish {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { next: fields.optional_text("next"), fresh: fields.optional_flag("fresh").unwrap_or(false) }
    }
}

/// The page that was asked for, or the usual one in place of one that nobody may be sent to (S-054).
fn page(gate: &Wardgate, next: Option<String>) -> Option<String> {
    next.map(|next| destination(&next, gate.page_origins()).unwrap_or(DEFAULT_PAGE).to_owned())
}

fn see_other(location: &str) -> Result<Response, AuthError> {
    let location = HeaderValue::try_from(location).map_err(|_| AuthError::UpstreamFailed)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// What the browser keeps until it comes back.
pub(crate) fn remember(
    gate: &Wardgate,
    tenant: &CurrentTenant,
    begun: &Begun,
) -> (http::HeaderName, HeaderValue) {
    (SET_COOKIE, gate.upstream_cookie().set(&tenant.slug, &begun.browser, FLOW_LIFE))
}

async fn login(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Path(name): Path<String>,
    Extension(source): Extension<Source>,
    Query(Wish { next, fresh }): Query<Wish>,
) -> Result<impl IntoResponse, AuthError> {
    let flow = Flow { next: page(&gate, next), linking: None, fresh };
    let begun = gate.federation().begin(&tenant, &name, flow, &source).await?;
    Ok(([remember(&gate, &tenant, &begun)], see_other(&begun.location)?))
}

/// What a provider sends along is its own affair, but what is read stands there once.
impl FromFields for Callback {
    fn from_fields(fields: &mut Fields) -> Self {
        let callback = Self {
            state: fields.optional_text("state").unwrap_or_default(),
            code: fields.optional_text("code"),
            issuer: fields.optional_text("iss"),
            error: fields.optional_text("error"),
        };
        fields.ignore_rest();
        callback
    }
}

async fn callback(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Path(name): Path<String>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, AuthError> {
    let callback = Fields::read_query(&query.unwrap_or_default()).map_err(|_| AuthError::InvalidState)?;
    let held = cookie(&headers, &gate.upstream_cookie().name(&tenant.slug)).ok().flatten();
    let finished = gate.federation().finish(&tenant, &name, callback, held, &source).await?;
    let mut response = arrive(&gate, &tenant, finished, &headers, &source).await?;
    response.headers_mut().append(SET_COOKIE, gate.upstream_cookie().clear(&tenant.slug));
    Ok(response)
}

async fn arrive(
    gate: &Wardgate,
    tenant: &CurrentTenant,
    finished: Finished,
    headers: &HeaderMap,
    source: &Source,
) -> Result<Response, AuthError> {
    match finished {
        Finished::SignIn(proof, None) => {
            let tokens = gate.signin().with_upstream(tenant, proof, source).await?;
            Ok(axum::Json(tokens).into_response())
        }
        Finished::SignIn(proof, Some(next)) => {
            let held = cookie(headers, &gate.cookie().name(&tenant.slug)).ok().flatten();
            let session = gate.signin().browser_with_upstream(tenant, proof, held, source).await?;
            let set = [(SET_COOKIE, gate.cookie().set(&tenant.slug, &session))];
            Ok((set, see_other(&next)?).into_response())
        }
        Finished::Linked(None) => Ok(axum::Json(json!({ "message": "Linked" })).into_response()),
        Finished::Linked(Some(next)) => see_other(&next),
    }
}

/// A form that another site's page posted comes without cookies. So what is in it goes into the query of the same
/// address, to which the browser then goes by itself, with them.
async fn posted_callback(
    tenant: CurrentTenant,
    Path(name): Path<String>,
    Form(callback): Form<Callback>,
) -> Result<Response, AuthError> {
    // Else the path of the address would be whatever stands there.
    is_name(&name).then_some(()).ok_or(AuthError::NotFound)?;
    let Callback { state, code, issuer, error } = callback;
    let given = [("state", Some(state)), ("code", code), ("iss", issuer), ("error", error)];
    let given = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    see_other(&format!("{}?{}", redirect_uri(&tenant, &name), crate::web::next::query(given)))
}

struct NewLink {
    provider: String,
    next: Option<String>,
}

impl FromFields for NewLink {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { provider: fields.text("provider"), next: fields.optional_text("next") }
    }
}

async fn link(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(NewLink { provider, next }): Json<NewLink>,
) -> Result<impl IntoResponse, AuthError> {
    let session = current.principal().session().ok_or(AuthError::InsufficientPermissions)?;
    let linking = Some((current.user().id, session));
    let flow = Flow { next: page(&gate, next), linking, fresh: false };
    let begun = gate.federation().begin(&tenant, &provider, flow, &source).await?;
    Ok(([remember(&gate, &tenant, &begun)], axum::Json(json!({ "location": begun.location }))))
}

async fn identities(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let all = gate.identities().list(tenant.id, current.user().id).await?;
    let items: Vec<_> = all.into_iter().map(IdentityView::from).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

async fn unlink(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    current.principal().session().ok_or(AuthError::InsufficientPermissions)?;
    let id: IdentityId = id.parse().map_err(|_| AuthError::NotFound)?;
    gate.federation().unlink(&tenant, current.user().id, id, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A provider as administrators see it; its secret is not among what they see.
#[derive(Serialize)]
struct StoredView {
    name: String,
    label: String,
    preset: Preset,
    issuer: Option<String>,
    client_id: String,
    has_secret: bool,
    team_id: Option<String>,
    key_id: Option<String>,
    scopes: Vec<String>,
    links_verified_email: bool,
    is_active: bool,
    redirect_uri: String,
    created_at: Timestamp,
}

impl StoredView {
    fn new(provider: StoredProvider, tenant: &CurrentTenant) -> Self {
        let StoredProvider { settings, has_secret, disabled_at, created_at } = provider;
        Self {
            redirect_uri: redirect_uri(tenant, &settings.name),
            name: settings.name,
            label: settings.label,
            preset: settings.preset,
            issuer: settings.issuer,
            client_id: settings.client_id,
            has_secret,
            team_id: settings.team_id,
            key_id: settings.key_id,
            scopes: settings.scopes,
            links_verified_email: settings.links_verified_email,
            is_active: disabled_at.is_none(),
            created_at,
        }
    }
}

async fn list(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.acts_on().cloned().unwrap_or(tenant);
    let all = gate.federation().list(tenant.id).await?;
    let items: Vec<_> = all.into_iter().map(|each| StoredView::new(each, &tenant)).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

async fn read(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
    Path(name): Path<String>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.acts_on().cloned().unwrap_or(tenant);
    let found = gate.federation().get(tenant.id, &name).await?;
    Ok(axum::Json(StoredView::new(found, &tenant)))
}

struct NewProvider(Option<ProviderSettings>);

impl FromFields for NewProvider {
    fn from_fields(fields: &mut Fields) -> Self {
        let (name, client_id) = (fields.text("name"), fields.text("client_id"));
        let preset = fields.text("preset").parse::<Preset>();
        let label = fields.optional_text("label");
        let issuer = fields.optional_text("issuer");
        let client_secret = fields.optional_text("client_secret").map(ClientSecret::new);
        let (team_id, key_id) = (fields.optional_text("team_id"), fields.optional_text("key_id"));
        let scopes = fields.optional_texts("scopes").unwrap_or_default();
        let links_verified_email = fields.optional_flag("links_verified_email").unwrap_or(false);
        let Ok(preset) = preset else {
            fields.fault("preset", "unknown_word", "must be one of the presets");
            return Self(None);
        };
        let settings = ProviderSettings::new(name, preset, client_id);
        let label = label.unwrap_or(settings.label);
        let (name, client_id) = (settings.name, settings.client_id);
        Self(Some(ProviderSettings {
            name,
            label,
            preset,
            issuer,
            client_id,
            client_secret,
            team_id,
            key_id,
            scopes,
            links_verified_email,
        }))
    }
}

async fn create(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewProvider(settings)): Json<NewProvider>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    let settings = settings.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let tenant = current.acts_on().cloned().unwrap_or(tenant);
    let made = gate.federation().create(tenant.id, settings, &current.caller(source)).await?;
    Ok((StatusCode::CREATED, axum::Json(StoredView::new(made, &tenant))))
}

impl FromFields for ProviderChange {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            label: fields.optional_text("label"),
            issuer: fields.nullable_text("issuer"),
            client_id: fields.optional_text("client_id"),
            client_secret: fields.nullable_text("client_secret").map(|text| text.map(ClientSecret::new)),
            team_id: fields.nullable_text("team_id"),
            key_id: fields.nullable_text("key_id"),
            scopes: fields.optional_texts("scopes"),
            links_verified_email: fields.optional_flag("links_verified_email"),
            is_active: fields.optional_flag("is_active"),
        }
    }
}

async fn update(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(name): Path<String>,
    Json(change): Json<ProviderChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.acts_on().cloned().unwrap_or(tenant);
    let changed = gate.federation().update(tenant.id, &name, change, &current.caller(source)).await?;
    Ok(axum::Json(StoredView::new(changed, &tenant)))
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(name): Path<String>,
) -> Result<StatusCode, AuthError> {
    gate.federation().delete(current.tenant(), &name, &current.caller(source)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    [signing_in(), linking(), administration()].into_iter().flatten().collect()
}

fn signing_in() -> Vec<Route<Wardgate>> {
    let tag = "other providers";
    let shown = json!({
        "type": "object", "required": ["name", "label"],
        "properties": { "name": { "type": "string" }, "label": { "type": "string" } },
    });
    let text = json!({ "type": "string" });
    let comes_back = |summary| {
        operation(tag, summary)
            .path_parameter("provider")
            .query_parameter("state", "As it was sent", &text)
            .query_parameter("code", "What the provider gives tokens for", &text)
            .query_parameter("iss", "Who answers", &text)
            .query_parameter("error", "Why there is no code", &text)
            .answers(200, "Tokens, where no page was asked for", &schema("TokenPair"))
            .answers_empty(303, "Signed in with a cookie, and on to the page")
            .refuses(&[
                "invalid_state",
                "incorrect_credentials",
                "registration_closed",
                "linking_refused",
                "upstream_denied",
                "upstream_stale",
                "not_found",
                "rate_limited",
                "upstream_failed",
                "unavailable",
            ])
    };
    vec![
        route(
            &Method::GET,
            "/auth/providers",
            Access::Public,
            providers,
            operation(tag, "The providers that sign-in pages can offer").answers(200, "All of them", &page_of(&shown)),
        ),
        route(
            &Method::GET,
            "/auth/login/{provider}",
            Access::Public,
            login,
            operation(tag, "Send a browser to a provider")
                .path_parameter("provider")
                .query_parameter(
                    "next",
                    "A path here, or a page of an allowed origin: the browser gets a session and goes there. Without it, tokens.",
                    &text,
                )
                .query_parameter(
                    "fresh",
                    "`true`: the provider is to ask who it is anew, for what asks for a step-up.",
                    &json!({ "type": "boolean" }),
                )
                .answers_empty(303, "To the provider, with a cookie that the way back needs")
                .refuses(&["not_found", "invalid_fields", "rate_limited", "upstream_failed", "unavailable"]),
        ),
        route(
            &Method::GET,
            "/auth/callback/{provider}",
            Access::Public,
            callback,
            comes_back("Where a provider sends the browser back to"),
        ),
        route(
            &Method::POST,
            "/auth/callback/{provider}",
            Access::Public,
            posted_callback,
            operation(tag, "The same for providers that send it back with a form")
                .path_parameter("provider")
                .form(&json!({ "type": "object" }))
                .answers_empty(303, "To the same address, with the form as its query")
                .refuses(&["not_found"]),
        ),
    ]
}

fn linking() -> Vec<Route<Wardgate>> {
    let tag = "account";
    let new = json!({
        "type": "object", "required": ["provider"], "additionalProperties": false,
        "properties": { "provider": { "type": "string" }, "next": { "type": "string" } },
    });
    let begun = json!({
        "type": "object", "required": ["location"], "properties": { "location": { "type": "string" } },
    });
    vec![
        route(
            &Method::GET,
            "/auth/identities",
            Access::Permission("identities:read"),
            identities,
            operation(tag, "The own links to other providers, newest first").answers(
                200,
                "All of them",
                &page_of(&schema("Identity")),
            ),
        ),
        route(
            &Method::POST,
            "/auth/identities",
            Access::SteppedUp("identities:write"),
            link,
            operation(
                tag,
                "Begin to link another provider: open the address in this browser, which gets a cookie",
            )
            .json(&new)
            .answers(200, "Where the browser goes", &begun)
            .refuses(&["not_found", "rate_limited", "upstream_failed"]),
        ),
        route(
            &Method::DELETE,
            "/auth/identities/{id}",
            Access::SteppedUp("identities:write"),
            unlink,
            operation(tag, "Remove a link to another provider")
                .path_parameter("id")
                .answers_empty(204, "Gone")
                .refuses(&["not_found", "last_credential"]),
        ),
    ]
}

fn administration() -> Vec<Route<Wardgate>> {
    let tag = "providers";
    let text = json!({ "type": "string" });
    let nullable = json!({ "type": ["string", "null"] });
    let presets: Vec<&str> = Preset::ALL.into_iter().map(Preset::as_str).collect();
    let flag = json!({ "type": "boolean" });
    let new = json!({
        "type": "object", "required": ["name", "preset", "client_id"], "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,31}$" }, "label": text,
            "preset": { "enum": presets }, "issuer": text, "client_id": text,
            "client_secret": { "type": "string", "format": "password" }, "team_id": text, "key_id": text,
            "scopes": strings(), "links_verified_email": flag,
        },
    });
    let change = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "label": text, "issuer": nullable, "client_id": text,
            "client_secret": { "type": ["string", "null"], "format": "password" }, "team_id": nullable,
            "key_id": nullable, "scopes": strings(), "links_verified_email": flag, "is_active": flag,
        },
    });
    vec![
        route(
            &Method::GET,
            "/admin/providers",
            Access::Permission("providers:read"),
            list,
            operation(tag, "The providers that were set up here, by name").answers(
                200,
                "All of them",
                &page_of(&schema("Provider")),
            ),
        ),
        route(
            &Method::POST,
            "/admin/providers",
            Access::SteppedUp("providers:write"),
            create,
            operation(tag, "Set a provider up")
                .json(&new)
                .answers(201, "The provider", &schema("Provider"))
                .refuses(&["provider_exists", "too_many_providers"]),
        ),
        route(
            &Method::GET,
            "/admin/providers/{name}",
            Access::Permission("providers:read"),
            read,
            operation(tag, "One provider")
                .path_parameter("name")
                .answers(200, "The provider", &schema("Provider"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::PATCH,
            "/admin/providers/{name}",
            Access::SteppedUp("providers:write"),
            update,
            operation(tag, "Change a provider, or switch it on or off; what is under way through it ends")
                .path_parameter("name")
                .json(&change)
                .answers(200, "The provider as changed", &schema("Provider"))
                .refuses(&["not_found", "busy", "last_superadmin"]),
        ),
        route(
            &Method::DELETE,
            "/admin/providers/{name}",
            Access::SteppedUp("providers:write"),
            delete,
            operation(tag, "Remove a provider; links to it stay, and are of no use without it")
                .path_parameter("name")
                .answers_empty(204, "Gone")
                .refuses(&["not_found", "last_superadmin"]),
        ),
    ]
}

/// The shapes of identity links and providers.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let time = json!({ "type": "string", "format": "date-time" });
    let (text, nullable) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let flag = json!({ "type": "boolean" });
    let identity = json!({
        "type": "object",
        "required": ["id", "provider", "issuer", "subject", "email", "by_address", "created_at", "last_used_at"],
        "properties": {
            "id": text, "provider": text, "issuer": text, "subject": text, "email": nullable, "by_address": flag,
            "created_at": time, "last_used_at": time,
        },
    });
    let provider = json!({
        "type": "object",
        "required": [
            "name", "label", "preset", "issuer", "client_id", "has_secret", "team_id", "key_id", "scopes",
            "links_verified_email", "is_active", "redirect_uri", "created_at",
        ],
        "properties": {
            "name": text, "label": text, "preset": text, "issuer": nullable, "client_id": text, "has_secret": flag,
            "team_id": nullable, "key_id": nullable, "scopes": strings(), "links_verified_email": flag,
            "is_active": flag, "redirect_uri": text, "created_at": time,
        },
    });
    vec![("Identity", identity), ("Provider", provider)]
}
