//! `/admin/tenants`.

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::TenantChange;
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::tenant::{MailUrls, OwnLimits};
use crate::web::body::Json;
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

fn tenant_id(text: &str) -> Result<TenantId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

async fn list(
    State(gate): State<Wardgate>,
    query: PageQuery,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let page = query.request(gate.cursors(), "tenants")?;
    let (items, next) = gate.tenants().list(page).await?;
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write("tenants", next)) }))
}

struct NewTenant {
    slug: String,
    name: String,
}

impl FromFields for NewTenant {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { slug: fields.text("slug"), name: fields.text("name") }
    }
}

async fn create(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewTenant { slug, name }): Json<NewTenant>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    let made = gate.lifecycle().create_tenant(&slug, &name, &current.caller(source)).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn read(
    State(gate): State<Wardgate>,
    Path(id): Path<String>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    Ok(axum::Json(gate.tenants().get(tenant_id(&id)?).await?))
}

impl FromFields for TenantChange {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.optional_text("name"),
            logo_url: fields.nullable_text("logo_url"),
            accent_color: fields.nullable_text("accent_color"),
            registration: fields.nullable_text("registration"),
            min_password_length: fields.nullable_number("min_password_length", 8..=64),
            rate_limits: fields.nullable_object("rate_limits"),
            mail_urls: fields.nullable_object("mail_urls"),
            hosts: fields.optional_texts("hosts"),
        }
    }
}

impl FromFields for MailUrls {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            verify_url: fields.optional_text("verify_url"),
            reset_url: fields.optional_text("reset_url"),
            magic_link_url: fields.optional_text("magic_link_url"),
            invitation_url: fields.optional_text("invitation_url"),
            organization_url: fields.optional_text("organization_url"),
        }
    }
}

impl FromFields for OwnLimits {
    fn from_fields(fields: &mut Fields) -> Self {
        // What is too much is for the limits to say; this is only a number of theirs.
        let mut number = |name| {
            let number = fields.optional_number(name, 0..=i64::from(u32::MAX));
            number.and_then(|number| u32::try_from(number).ok())
        };
        Self {
            sign_in_account: number("sign_in_account"),
            sign_in_source: number("sign_in_source"),
            sign_in_strangers: number("sign_in_strangers"),
            sign_in_tenant: number("sign_in_tenant"),
            register: number("register"),
            refresh: number("refresh"),
        }
    }
}

async fn update(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(change): Json<TenantChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let changed = gate.tenants().update(tenant_id(&id)?, change, &current.caller(source)).await?;
    Ok(axum::Json(changed))
}

async fn suspend(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    gate.tenants().suspend(tenant_id(&id)?, true, &current.caller(source)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn resume(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    gate.tenants().suspend(tenant_id(&id)?, false, &current.caller(source)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    gate.lifecycle().delete_tenant(tenant_id(&id)?, &current.caller(source)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn rate_limits() -> Value {
    let number = json!({ "type": "integer", "minimum": 1 });
    json!({
        "type": ["object", "null"], "additionalProperties": false,
        "properties": {
            "sign_in_account": number, "sign_in_source": number, "sign_in_strangers": number, "sign_in_tenant": number,
            "register": number, "refresh": number,
        },
    })
}

fn mail_urls() -> Value {
    let url = json!({ "type": "string", "format": "uri", "maxLength": 500 });
    json!({
        "type": ["object", "null"], "additionalProperties": false,
        "properties": {
            "verify_url": url, "reset_url": url, "magic_link_url": url, "invitation_url": url, "organization_url": url,
        },
    })
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let new = json!({
        "type": "object", "required": ["slug", "name"], "additionalProperties": false,
        "properties": { "slug": { "type": "string", "pattern": "^[a-z0-9-]{2,40}$" }, "name": { "type": "string", "maxLength": 100 } },
    });
    let change = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "maxLength": 100 }, "logo_url": { "type": ["string", "null"] },
            "accent_color": { "type": ["string", "null"], "pattern": "^#[0-9a-fA-F]{6}$" },
            "registration": { "enum": ["open", "closed", null] },
            "min_password_length": { "type": ["integer", "null"], "minimum": 8, "maximum": 64 }, "hosts": strings(),
            "rate_limits": rate_limits(), "mail_urls": mail_urls(),
        },
    });
    let one = |summary| operation("tenants", summary).path_parameter("id").refuses(&["not_found"]);
    let changing = |summary| one(summary).refuses(&["default_tenant"]);
    let tenant = schema("Tenant");
    vec![
        route(
            &Method::GET,
            "/admin/tenants",
            Access::Permission("tenants:read"),
            list,
            operation("tenants", "All tenants, newest first, without their host names").paged().answers(
                200,
                "A page of tenants",
                &page_of(&tenant),
            ),
        ),
        route(
            &Method::POST,
            "/admin/tenants",
            Access::SteppedUp("tenants:write"),
            create,
            operation("tenants", "Make a tenant, with signing keys of its own")
                .json(&new)
                .answers(201, "The tenant", &tenant)
                .refuses(&["slug_taken"]),
        ),
        route(
            &Method::GET,
            "/admin/tenants/{id}",
            Access::Permission("tenants:read"),
            read,
            one("One tenant").answers(200, "The tenant", &tenant),
        ),
        route(
            &Method::PATCH,
            "/admin/tenants/{id}",
            Access::SteppedUp("tenants:write"),
            update,
            changing("Change a tenant's name, picture, settings or host names")
                .json(&change)
                .answers(200, "The tenant as changed", &tenant)
                .refuses(&["host_taken"]),
        ),
        route(
            &Method::POST,
            "/admin/tenants/{id}/suspend",
            Access::SteppedUp("tenants:write"),
            suspend,
            changing("Answer nothing of the tenant any more")
                .answers_empty(204, "Its users, keys and sessions are dead"),
        ),
        route(
            &Method::POST,
            "/admin/tenants/{id}/resume",
            Access::SteppedUp("tenants:write"),
            resume,
            changing("Answer for the tenant again").answers_empty(204, "They live again"),
        ),
        route(
            &Method::DELETE,
            "/admin/tenants/{id}",
            Access::SteppedUp("tenants:write"),
            delete,
            changing("Remove a tenant with everything that is its own")
                .answers_empty(204, "Gone; its slug is never used again"),
        ),
    ]
}
