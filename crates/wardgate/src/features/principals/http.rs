//! `/auth/me`, and `/auth/verify` for proxies.

use axum::Extension;
use axum::extract::State;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::model::Holder;
use crate::authn::{CurrentPrincipal, CurrentUser};
use crate::features::audit::Actor;
use crate::features::organizations::ActiveOrg;
use crate::features::roles::Limit;
use crate::features::service_accounts::ServiceAccountView;
use crate::features::users::{UserView, check_name};
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema};
use crate::web::routes::{Access, Route, route};

/// What would be more than one value in a header, or none.
const IN_HEADER: &AsciiSet = &CONTROLS.add(b'%').add(b'"').add(b';').add(b'\\');

#[derive(Serialize)]
#[serde(untagged)]
enum HolderView {
    User(UserView),
    ServiceAccount(ServiceAccountView),
}

/// Who somebody is, with what they may do by this credential.
#[derive(Serialize)]
struct Me {
    #[serde(flatten)]
    holder: HolderView,
    permissions: Vec<String>,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<ActiveOrg>,
}

impl Me {
    fn new(tenant: &CurrentTenant, current: &CurrentPrincipal, holder: HolderView) -> Self {
        let permissions = current.permissions().into_iter().map(str::to_owned).collect();
        Self { holder, permissions, tenant: tenant.slug.to_string(), org: current.org().cloned() }
    }
}

async fn me(tenant: CurrentTenant, current: CurrentPrincipal) -> axum::Json<impl Serialize> {
    let roles = current.roles().names();
    let holder = match current.holder() {
        Holder::User(user) => HolderView::User(UserView::new(user, roles)),
        Holder::ServiceAccount(account) => {
            HolderView::ServiceAccount(ServiceAccountView::new(account, roles))
        }
    };
    axum::Json(Me::new(&tenant, &current, holder))
}

pub(crate) struct ProfileChange {
    pub(crate) name: Option<Option<String>>,
}

impl FromFields for ProfileChange {
    fn from_fields(fields: &mut Fields) -> Self {
        let name = fields.nullable_text("name");
        if let Some(Some(name)) = &name {
            fields.note(check_name(name));
        }
        Self { name }
    }
}

async fn change_me(
    State(gate): State<Wardgate>,
    of: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(change): Json<ProfileChange>,
) -> Result<axum::Json<impl Serialize>, AuthError> {
    let (tenant, id) = (current.principal().tenant, current.user().id);
    let user = match change.name {
        Some(name) => gate.users().rename(tenant, id, name, Actor::User(id), &source).await?,
        None => current.user().clone(),
    };
    Ok(axum::Json(Me::new(&of, &current, HolderView::User(UserView::new(&user, current.roles().names())))))
}

/// Who a proxy's request comes from, in headers that it passes on to the application. Values are percent-encoded, so
/// that none can hold what a header cannot, or end one.
async fn verify(tenant: CurrentTenant, current: CurrentPrincipal) -> (HeaderMap, StatusCode) {
    let mut headers = HeaderMap::new();
    let mut say = |name: &'static str, value: &str| {
        let encoded = utf8_percent_encode(value, IN_HEADER).to_string();
        if let Ok(value) = HeaderValue::try_from(encoded) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    say("x-auth-subject", &current.principal().subject.to_string());
    if let Holder::User(user) = current.holder() {
        say("x-auth-email", user.email.as_str());
    }
    say("x-auth-roles", &current.roles().names().join(","));
    say("x-auth-tenant", &tenant.slug);
    if let Some(org) = current.org() {
        say("x-auth-org", &org.id.to_string());
    }
    // Always there where there is a limit: its absence means that the roles alone count. Proxies drop an empty header, so
    // that nothing at all is written as what no permission is called.
    if current.rights().limit != Limit::Nothing {
        let left = current.permissions().join(" ");
        say("x-auth-scope", if left.is_empty() { "-" } else { &left });
    }
    (headers, StatusCode::OK)
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
            "/auth/session",
            Access::SignedIn,
            me,
            operation("sessions", "Who is signed in").answers(
                200,
                "The user or service account",
                &schema("Me"),
            ),
        ),
        route(
            &Method::GET,
            "/auth/verify",
            Access::ForwardAuth,
            verify,
            operation("sessions", "For a proxy: may this request pass, and who makes it")
                .answers_empty(200, "It may; X-Auth-Subject, -Email, -Roles, -Tenant and -Scope say who"),
        ),
        route(
            &Method::GET,
            "/auth/me",
            Access::SignedIn,
            me,
            operation("account", "Who is signed in").answers(
                200,
                "The user or service account",
                &schema("Me"),
            ),
        ),
        route(
            &Method::PATCH,
            "/auth/me",
            Access::Permission("profile:write"),
            change_me,
            operation("account", "Change the own profile").json(&name).answers(
                200,
                "The user as changed",
                &schema("Me"),
            ),
        ),
    ]
}
