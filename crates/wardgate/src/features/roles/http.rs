//! `/admin/roles`.

use axum::Extension;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::custom::RoleChange;
use super::model::{BuiltinRole, CustomRole};
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

/// A role as clients see one.
#[derive(Serialize)]
struct RoleView {
    name: String,
    description: Option<String>,
    permissions: Vec<String>,
    builtin: bool,
    created_at: Option<Timestamp>,
}

impl From<CustomRole> for RoleView {
    fn from(role: CustomRole) -> Self {
        Self {
            name: role.name,
            description: role.description,
            permissions: role.permissions,
            builtin: false,
            created_at: Some(role.created_at),
        }
    }
}

impl From<BuiltinRole> for RoleView {
    fn from(role: BuiltinRole) -> Self {
        Self {
            name: role.to_string(),
            description: Some(role.description().to_owned()),
            permissions: role.permissions().iter().map(|&permission| permission.to_owned()).collect(),
            builtin: true,
            created_at: None,
        }
    }
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let custom = gate.roles().list(current.tenant()).await?;
    let builtin = BuiltinRole::ALL.into_iter().map(RoleView::from);
    let items: Vec<_> = builtin.chain(custom.into_iter().map(RoleView::from)).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

async fn read(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Path(name): Path<String>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    if let Ok(builtin) = name.parse::<BuiltinRole>() {
        return Ok(axum::Json(RoleView::from(builtin)));
    }
    let role = gate.roles().get(current.tenant(), &name).await?;
    Ok(axum::Json(RoleView::from(role)))
}

struct NewRole {
    name: String,
    change: RoleChange,
}

impl FromFields for NewRole {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { name: fields.text("name"), change: RoleChange::from_fields(fields) }
    }
}

impl FromFields for RoleChange {
    fn from_fields(fields: &mut Fields) -> Self {
        Self {
            description: fields.nullable_text("description"),
            permissions: fields.optional_texts("permissions"),
        }
    }
}

async fn create(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewRole { name, change }): Json<NewRole>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    let made = gate.roles().create(tenant, &name, change, &caller).await?;
    Ok((StatusCode::CREATED, axum::Json(RoleView::from(made))))
}

async fn update(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(name): Path<String>,
    Json(change): Json<RoleChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    let changed = gate.lifecycle().update_role(tenant, &name, change, &caller).await?;
    Ok(axum::Json(RoleView::from(changed)))
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(name): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.roles().delete(tenant, &name, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let name = json!({ "type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$" });
    let description = json!({ "type": ["string", "null"], "maxLength": 200 });
    let new = json!({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": { "name": name, "description": description, "permissions": strings() },
    });
    let change = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "description": description, "permissions": strings() },
    });
    vec![
        route(
            &Method::GET,
            "/admin/roles",
            Access::Permission("roles:read"),
            list,
            operation("roles", "The built-in roles, then the tenant's own by name; all on one page").answers(
                200,
                "The roles",
                &page_of(&schema("Role")),
            ),
        ),
        route(
            &Method::POST,
            "/admin/roles",
            Access::SteppedUp("roles:write"),
            create,
            operation("roles", "Make a role out of permissions")
                .json(&new)
                .answers(201, "The role", &schema("Role"))
                .refuses(&["role_exists"]),
        ),
        route(
            &Method::GET,
            "/admin/roles/{name}",
            Access::Permission("roles:read"),
            read,
            operation("roles", "One role")
                .path_parameter("name")
                .answers(200, "The role", &schema("Role"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::PATCH,
            "/admin/roles/{name}",
            Access::SteppedUp("roles:write"),
            update,
            operation("roles", "Change what a role is for and what it allows")
                .path_parameter("name")
                .json(&change)
                .answers(200, "The role as changed", &schema("Role"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::DELETE,
            "/admin/roles/{name}",
            Access::Permission("roles:write"),
            delete,
            operation("roles", "Remove a role that nobody has")
                .path_parameter("name")
                .answers_empty(204, "Gone")
                .refuses(&["not_found", "role_in_use"]),
        ),
    ]
}
