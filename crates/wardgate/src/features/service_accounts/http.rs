//! `/admin/service-accounts`.

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::model::ServiceAccountView;
use super::service::{Machine, ServiceAccountChange};
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::ServiceAccountId;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::web::body::Json;
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

fn view(machine: &Machine) -> ServiceAccountView {
    ServiceAccountView::new(&machine.account, machine.roles.names())
}

fn account_id(text: &str) -> Result<ServiceAccountId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    query: PageQuery,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.tenant();
    let list = format!("service_accounts/{tenant}");
    let page = query.request(gate.cursors(), &list)?;
    let (machines, next) = gate.service_accounts().list(tenant, page).await?;
    let items = machines.iter().map(view).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

struct NewServiceAccount {
    name: String,
    roles: Option<Vec<String>>,
}

impl FromFields for NewServiceAccount {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { name: fields.text("name"), roles: fields.optional_texts("roles") }
    }
}

async fn create(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewServiceAccount { name, roles }): Json<NewServiceAccount>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    let accounts = gate.service_accounts();
    let made = accounts.create(tenant, &name, roles.unwrap_or_default(), &caller);
    Ok((StatusCode::CREATED, axum::Json(view(&made.await?))))
}

async fn read(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Path(id): Path<String>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let machine = gate.service_accounts().get(current.tenant(), account_id(&id)?).await?;
    Ok(axum::Json(view(&machine)))
}

impl FromFields for ServiceAccountChange {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            name: fields.optional_text("name"),
            is_active: fields.optional_flag("is_active"),
            roles: fields.optional_texts("roles"),
        }
    }
}

async fn update(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(change): Json<ServiceAccountChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    let accounts = gate.service_accounts();
    let changed = accounts.update(tenant, account_id(&id)?, change, &caller);
    Ok(axum::Json(view(&changed.await?)))
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.lifecycle().delete_service_account(tenant, account_id(&id)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let name = json!({ "type": "string", "maxLength": 64 });
    let new = json!({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": { "name": name, "roles": strings() },
    });
    let change = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "name": name, "is_active": { "type": "boolean" }, "roles": strings() },
    });
    let tag = "service accounts";
    vec![
        route(
            &Method::GET,
            "/admin/service-accounts",
            Access::Permission("service_accounts:read"),
            list,
            operation(tag, "The tenant's service accounts, newest first").paged().answers(
                200,
                "A page of service accounts",
                &page_of(&schema("ServiceAccount")),
            ),
        ),
        route(
            &Method::POST,
            "/admin/service-accounts",
            Access::SteppedUp("service_accounts:write"),
            create,
            operation(tag, "Make a service account")
                .json(&new)
                .answers(201, "The service account", &schema("ServiceAccount"))
                .refuses(&["name_taken"]),
        ),
        route(
            &Method::GET,
            "/admin/service-accounts/{id}",
            Access::Permission("service_accounts:read"),
            read,
            operation(tag, "One service account")
                .path_parameter("id")
                .answers(200, "The service account", &schema("ServiceAccount"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::PATCH,
            "/admin/service-accounts/{id}",
            Access::SteppedUp("service_accounts:write"),
            update,
            operation(tag, "Change a service account's name, activity or roles")
                .path_parameter("id")
                .json(&change)
                .answers(200, "The service account as changed", &schema("ServiceAccount"))
                .refuses(&["not_found", "name_taken"]),
        ),
        route(
            &Method::DELETE,
            "/admin/service-accounts/{id}",
            Access::Permission("service_accounts:write"),
            delete,
            operation(tag, "Remove a service account with its keys")
                .path_parameter("id")
                .answers_empty(204, "Gone")
                .refuses(&["not_found"]),
        ),
    ]
}
