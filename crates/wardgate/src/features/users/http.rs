//! `/auth/me`.

use axum::Extension;
use axum::extract::State;
use http::Method;
use serde::Serialize;

use super::model::User;
use crate::authn::CurrentUser;
use crate::features::audit::Actor;
use crate::features::tenants::DEFAULT_SLUG;
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::UserId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema};
use crate::web::routes::{Access, Route, route};

/// A user as clients see one.
#[derive(Debug, Clone, Serialize)]
pub struct UserView {
    id: UserId,
    email: Email,
    email_verified: bool,
    name: Option<String>,
    is_active: bool,
    roles: Vec<String>,
    created_at: Timestamp,
}

impl UserView {
    /// The view of `user`, who has these roles.
    pub fn new(user: &User, roles: Vec<String>) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            email_verified: user.email_verified_at.is_some(),
            name: user.name.clone(),
            is_active: user.is_active(),
            roles,
            created_at: user.created_at,
        }
    }
}

/// What `/auth/me` adds.
#[derive(Serialize)]
struct Me {
    #[serde(flatten)]
    user: UserView,
    permissions: Vec<&'static str>,
    tenant: &'static str,
}

impl Me {
    fn new(current: &CurrentUser, user: &User) -> Self {
        let user = UserView::new(user, current.roles().names());
        Self { user, permissions: current.permissions(), tenant: DEFAULT_SLUG }
    }
}

struct ProfileChange {
    name: Option<Option<String>>,
}

impl FromFields for ProfileChange {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.nullable_text("name");
        if let Some(Some(name)) = &name {
            fields.note(super::check_name(name));
        }
        Self { name }
    }
}

async fn me(current: CurrentUser) -> axum::Json<impl Serialize> {
    axum::Json(Me::new(&current, current.user()))
}

async fn change_me(
    State(gate): State<Wardgate>,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(change): Json<ProfileChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    current.require_permission("profile:write")?;
    let (tenant, id) = (current.principal().tenant, current.user().id);
    let user = match change.name {
        Some(name) => gate.users().rename(tenant, id, name, Actor::User(id), &source).await?,
        None => current.user().clone(),
    };
    Ok(axum::Json(Me::new(&current, &user)))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let name = serde_json::json!({
        "type": "object",
        "properties": { "name": { "type": ["string", "null"], "maxLength": 200 } },
        "additionalProperties": false,
    });
    vec![
        route(
            &Method::GET,
            "/auth/me",
            Access::SignedIn,
            me,
            operation("account", "Who is signed in").answers(200, "The user", &schema("User")),
        ),
        route(
            &Method::PATCH,
            "/auth/me",
            Access::SignedIn,
            change_me,
            operation("account", "Change the own profile")
                .json(&name)
                .answers(200, "The user as changed", &schema("User"))
                .refuses(&["insufficient_scope"]),
        ),
    ]
}
