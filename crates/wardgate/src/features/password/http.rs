//! `/auth/register`, `/auth/step-up` and `/auth/password`.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};

use crate::authn::{CurrentUser, Presented};
use crate::features::password::Registered;
use crate::features::users::{NewUser, UserView, check_name};
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
use crate::web::routes::{Access, Route, route};

pub(crate) struct Registration {
    pub(crate) email: Option<Email>,
    pub(crate) password: String,
    pub(crate) name: Option<String>,
}

impl FromFields for Registration {
    fn from_fields(fields: &mut Fields) -> Self {
        let email = fields.email();
        let password = fields.text("password");
        let name = fields.optional_text("name");
        if let Some(name) = &name {
            fields.note(check_name(name));
        }
        Self { email, password, name }
    }
}

async fn register(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(registration): Json<Registration>,
) -> Result<Response, AuthError> {
    let Registration { email, password, name } = registration;
    let email = email.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let new = NewUser { email, name, email_verified: false };
    match gate.accounts().register(&tenant, new, &password, &source).await? {
        Registered::Account(account) => {
            let view = UserView::new(&account.user, account.roles.names());
            Ok((StatusCode::CREATED, axum::Json(view)).into_response())
        }
        Registered::Mailed => Ok(StatusCode::ACCEPTED.into_response()),
    }
}

pub(crate) struct PasswordChange {
    pub(crate) current_password: String,
    pub(crate) new_password: String,
}

impl FromFields for PasswordChange {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { current_password: fields.text("current_password"), new_password: fields.text("new_password") }
    }
}

async fn change_password(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, AuthError> {
    let PasswordChange { current_password, new_password } = change;
    let passwords = gate.passwords();
    passwords
        .change(&tenant, current.principal(), current.user(), &current_password, &new_password, &source)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

struct StepUp {
    password: String,
}

impl FromFields for StepUp {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { password: fields.text("password") }
    }
}

async fn step_up(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(StepUp { password }): Json<StepUp>,
) -> Result<impl IntoResponse, AuthError> {
    let has_cookie = current.presented() == Presented::Cookie;
    let passwords = gate.passwords();
    let stepped_up = passwords.step_up(current.principal(), current.user(), &password, has_cookie, &source);
    let cookie = stepped_up.await?.map(|value| (SET_COOKIE, gate.cookie().set(&tenant.slug, &value)));
    Ok((StatusCode::NO_CONTENT, HeaderMap::from_iter(cookie)))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    vec![
        route(
            &Method::POST,
            "/auth/register",
            Access::Public,
            register,
            operation("account", "Make an account")
                .json(&texts(&["email", "password"], &["name"]))
                .answers(201, "The user", &schema("User"))
                .answers_empty(202, "Registration is by mail, which tells what comes next")
                .refuses(&["registration_closed", "email_taken", "rate_limited", "busy", "unavailable"]),
        ),
        route(
            &Method::POST,
            "/auth/step-up",
            Access::SignedIn,
            step_up,
            operation("account", "Confirm the password, for what asks for a fresh sign-in")
                .json(&texts(&["password"], &[]))
                .answers_empty(204, "The session counts as fresh for 15 minutes")
                .refuses(&[
                    "wrong_password",
                    "insufficient_permissions",
                    "rate_limited",
                    "busy",
                    "unavailable",
                ]),
        ),
        route(
            &Method::POST,
            "/auth/password",
            Access::Permission("password:write"),
            change_password,
            operation("account", "Change the own password; every other session ends")
                .json(&texts(&["current_password", "new_password"], &[]))
                .answers_empty(204, "Changed")
                .refuses(&["wrong_password", "rate_limited", "busy", "unavailable"]),
        ),
    ]
}
