//! `/admin/users`, and leaving: `DELETE /auth/me` and `/auth/me/export`.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::header::SET_COOKIE;
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::service::UserChange;
use crate::authn::{CurrentPrincipal, CurrentUser};
use crate::features::api_keys::ApiKeyView;
use crate::features::identities::IdentityView;
use crate::features::password::Account;
use crate::features::sessions::http::SessionView;
use crate::features::users::{NewUser, UserFilter, UserView, check_name};
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::UserId;
use crate::kernel::page::{Page, PageRequest};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::Json;
use crate::web::cursor::PageQuery;
use crate::web::fields::{Fields, FromFields, Query};
use crate::web::openapi::{operation, page_of, schema, strings};
use crate::web::routes::{Access, Route, route};

fn view(account: &Account) -> UserView {
    UserView::new(&account.user, account.roles.names())
}

fn user_id(text: &str) -> Result<UserId, AuthError> {
    text.parse().map_err(|_| AuthError::NotFound)
}

struct UserQuery {
    filter: UserFilter,
    page: PageQuery,
}

impl FromFields for UserQuery {
    fn from_fields(fields: &mut Fields) -> Self {
        let filter =
            UserFilter { email: fields.optional_text("email"), is_active: fields.optional_flag("is_active") };
        Self { filter, page: PageQuery::from_fields(fields) }
    }
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Query(UserQuery { filter, page }): Query<UserQuery>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let tenant = current.tenant();
    let list = format!("users/{tenant}/{filter:?}");
    let page = page.request(gate.cursors(), &list)?;
    let (accounts, next) = gate.accounts().list(tenant, filter, page).await?;
    let items = accounts.iter().map(view).collect();
    Ok(axum::Json(Page { items, next_cursor: next.map(|next| gate.cursors().write(&list, next)) }))
}

struct NewAccount {
    email: Option<Email>,
    name: Option<String>,
    roles: Option<Vec<String>>,
}

impl FromFields for NewAccount {
    fn from_fields(fields: &mut Fields) -> Self {
        let email = fields.email();
        let name = fields.optional_text("name");
        if let Some(name) = &name {
            fields.note(check_name(name));
        }
        Self { email, name, roles: fields.optional_texts("roles") }
    }
}

async fn create(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Json(NewAccount { email, name, roles }): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    let email = email.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let new = NewUser { email, name, email_verified: false };
    let roles = roles.unwrap_or_else(|| vec!["user".to_owned()]);
    let tenant = current.acts_on().cloned().unwrap_or(tenant);
    let account = gate.accounts().invite(&tenant, new, roles, &current.caller(source)).await?;
    Ok((StatusCode::CREATED, axum::Json(view(&account))))
}

async fn read(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Path(id): Path<String>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let account = gate.accounts().get(current.tenant(), user_id(&id)?).await?;
    Ok(axum::Json(view(&account)))
}

impl FromFields for UserChange {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.nullable_text("name");
        if let Some(Some(name)) = &name {
            fields.note(check_name(name));
        }
        Self { name, is_active: fields.optional_flag("is_active"), roles: fields.optional_texts("roles") }
    }
}

async fn update(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
    Json(change): Json<UserChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    let changed = gate.lifecycle().update(tenant, user_id(&id)?, change, &caller);
    Ok(axum::Json(view(&changed.await?)))
}

async fn delete(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.lifecycle().delete(tenant, user_id(&id)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_sessions(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.lifecycle().end_sessions(tenant, user_id(&id)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_limits(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(id): Path<String>,
) -> Result<StatusCode, AuthError> {
    let (tenant, caller) = (current.tenant(), current.caller(source));
    gate.lifecycle().clear_limits(tenant, user_id(&id)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_me(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
) -> Result<impl IntoResponse, AuthError> {
    // A key is for the application's work: what its owner is asks for the owner (S-061).
    current.principal().session().ok_or(AuthError::InsufficientPermissions)?;
    let (id, caller) = (current.user().id, current.caller(source));
    gate.lifecycle().delete(tenant.id, id, &caller).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, gate.cookie().clear(&tenant.slug))]))
}

/// Everything about somebody that is theirs to take along (GDPR, article 20), but for what is secret.
#[derive(Serialize)]
struct Export {
    user: UserView,
    sessions: Vec<SessionView>,
    api_keys: Vec<ApiKeyView>,
    identities: Vec<IdentityView>,
}

async fn export_me(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
) -> Result<axum::Json<Export>, AuthError> {
    let session = Some(current.principal().session().ok_or(AuthError::InsufficientPermissions)?);
    let user = current.user();
    let all = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let (sessions, _) = gate.sessions().list(tenant.id, user.id, all).await?;
    let (keys, _) = gate.api_keys().list(tenant.id, user.id.into(), all).await?;
    let identities = gate.identities().list(tenant.id, user.id).await?;
    Ok(axum::Json(Export {
        user: UserView::new(user, current.roles().names()),
        sessions: sessions.into_iter().map(|each| SessionView::new(each, session)).collect(),
        api_keys: keys.into_iter().map(ApiKeyView::from).collect(),
        identities: identities.into_iter().map(IdentityView::from).collect(),
    }))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let name = json!({ "type": ["string", "null"], "maxLength": 200 });
    let email = json!({ "type": "string", "format": "email" });
    let new = json!({
        "type": "object", "required": ["email"], "additionalProperties": false,
        "properties": { "email": email, "name": { "type": "string", "maxLength": 200 }, "roles": strings() },
    });
    let change = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "name": name, "is_active": { "type": "boolean" }, "roles": strings() },
    });
    let exported = json!({ "type": "object", "required": ["user", "sessions", "api_keys", "identities"], "properties": {
        "user": schema("User"), "sessions": { "type": "array", "items": schema("Session") },
        "api_keys": { "type": "array", "items": schema("ApiKey") },
        "identities": { "type": "array", "items": schema("Identity") },
    } });
    vec![
        route(
            &Method::DELETE,
            "/auth/me",
            Access::SteppedUp("profile:write"),
            delete_me,
            operation("account", "Remove the own account and all that is of it")
                .answers_empty(204, "Gone")
                .refuses(&["last_superadmin"]),
        ),
        route(
            &Method::GET,
            "/auth/me/export",
            Access::SteppedUp("profile:read"),
            export_me,
            operation("account", "Take along what is known of oneself").answers(200, "Everything", &exported),
        ),
        route(
            &Method::GET,
            "/admin/users",
            Access::Permission("users:read"),
            list,
            operation("users", "The tenant's users, newest first")
                .query_parameter(
                    "email",
                    "Only addresses that hold this text, in any case",
                    &json!({ "type": "string" }),
                )
                .query_parameter(
                    "is_active",
                    "Only the active, or only the deactivated",
                    &json!({ "type": "boolean" }),
                )
                .paged()
                .answers(200, "A page of users", &page_of(&schema("User"))),
        ),
        route(
            &Method::POST,
            "/admin/users",
            Access::SteppedUp("users:write"),
            create,
            operation("users", "Make an account without a password, and mail its owner a link that sets one")
                .json(&new)
                .answers(201, "The user", &schema("User"))
                .refuses(&["email_taken", "rate_limited"]),
        ),
        route(
            &Method::GET,
            "/admin/users/{id}",
            Access::Permission("users:read"),
            read,
            operation("users", "One user")
                .path_parameter("id")
                .answers(200, "The user", &schema("User"))
                .refuses(&["not_found"]),
        ),
        route(
            &Method::PATCH,
            "/admin/users/{id}",
            Access::SteppedUp("users:write"),
            update,
            operation("users", "Change a user's name, activity or roles")
                .path_parameter("id")
                .json(&change)
                .answers(200, "The user as changed", &schema("User"))
                .refuses(&["not_found", "last_superadmin"]),
        ),
        route(
            &Method::DELETE,
            "/admin/users/{id}",
            Access::Permission("users:write"),
            delete,
            operation("users", "Remove a user and all that is theirs")
                .path_parameter("id")
                .answers_empty(204, "Gone")
                .refuses(&["not_found", "last_superadmin"]),
        ),
        // It opens the way to more guesses, so a key or an old sign-in does not do.
        route(
            &Method::DELETE,
            "/admin/users/{id}/limits",
            Access::SteppedUp("users:write"),
            clear_limits,
            operation("users", "Forget the failed attempts at a user's account")
                .path_parameter("id")
                .answers_empty(204, "The next attempt is looked at")
                .refuses(&["not_found"]),
        ),
        route(
            &Method::DELETE,
            "/admin/users/{id}/sessions",
            Access::Permission("users:write"),
            end_sessions,
            operation("users", "End all sessions of a user")
                .path_parameter("id")
                .answers_empty(204, "They are dead")
                .refuses(&["not_found"]),
        ),
    ]
}
