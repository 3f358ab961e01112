//! `/auth/setup`, and the small page that the printed link opens.

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse};
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

use crate::features::users::{NewUser, UserView};
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
use crate::web::routes::{Access, Route, route};

struct SetupRequest {
    token: String,
    email: Option<Email>,
    password: String,
}

impl FromFields for SetupRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token"), email: fields.email(), password: fields.text("password") }
    }
}

async fn set_up(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(request): Json<SetupRequest>,
) -> Result<(StatusCode, axum::Json<impl Serialize>), AuthError> {
    if !tenant.is_default() {
        return Err(AuthError::NotFound);
    }
    let email = request.email.ok_or(AuthError::InvalidFields(Vec::new()))?;
    let new = NewUser { email, name: None, email_verified: true };
    let account = gate.setup().redeem(&request.token, new, &request.password, &source).await?;
    Ok((StatusCode::CREATED, axum::Json(UserView::new(&account.user, account.roles.names()))))
}

/// The page's script and style are files of their own, so that no inline script is needed.
const PAGE_CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, PAGE_CSP)], Html(include_str!("page/setup.html")))
}

async fn script() -> impl IntoResponse {
    ([(http::header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page/setup.js"))
}

async fn style() -> impl IntoResponse {
    ([(http::header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page/setup.css"))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let asset = |summary| operation("setup", summary).answers_empty(200, "The file");
    vec![
        route(
            &Method::POST,
            "/auth/setup",
            Access::Public,
            set_up,
            operation("setup", "Make the first superadmin with the one-use link's token")
                .json(&texts(&["token", "email", "password"], &[]))
                .answers(201, "The superadmin", &schema("User"))
                .refuses(&["invalid_setup_token", "email_taken", "rate_limited", "busy", "unavailable"]),
        ),
        route(&Method::GET, "/setup", Access::Public, page, asset("The page behind the one-use link")),
        route(&Method::GET, "/setup/setup.js", Access::Public, script, asset("The page's script")),
        route(&Method::GET, "/setup/setup.css", Access::Public, style, asset("The page's style")),
    ]
}
