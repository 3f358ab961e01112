//! `/auth/email`, `/auth/password/forgot` and `reset`, `/auth/magic-link`.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};

use crate::authn::{CurrentPrincipal, CurrentUser, cookie};
use crate::features::links::Purpose;
use crate::features::tokens::TokenPair;
use crate::gate::Wardgate;
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::UserId;
use crate::kernel::principal::Subject;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::body::Json;
use crate::web::fields::{Fields, FromFields};
use crate::web::openapi::{operation, schema, texts};
use crate::web::origin::Asked;
use crate::web::routes::{Access, Route, route};

pub(crate) struct Address(Option<Email>);

impl FromFields for Address {
    fn from_fields(fields: &mut Fields) -> Self {
        Self(fields.email())
    }
}

impl Address {
    pub(crate) fn email(self) -> Result<Email, AuthError> {
        self.0.ok_or(AuthError::InvalidFields(Vec::new()))
    }
}

pub(crate) struct Token(pub(crate) String);

impl FromFields for Token {
    fn from_fields(fields: &mut Fields) -> Self {
        Self(fields.text("token"))
    }
}

pub(crate) struct Reset {
    pub(crate) token: String,
    pub(crate) new_password: String,
}

impl FromFields for Reset {
    fn from_fields(fields: &mut Fields) -> Self {
        Self { token: fields.text("token"), new_password: fields.text("new_password") }
    }
}

async fn resend(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(address): Json<Address>,
) -> Result<StatusCode, AuthError> {
    gate.recovery().resend_verification(&tenant, &address.email()?, &source).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Whose new address somebody can confirm: their own, in a session that may change it.
pub(crate) fn confirms_for(current: &CurrentPrincipal) -> Option<UserId> {
    let may = current.principal().session().is_some() && current.require_permission("email:write").is_ok();
    match current.principal().subject {
        Subject::User(user) if may => Some(user),
        Subject::User(_) | Subject::ServiceAccount(_) => None,
    }
}

async fn verify(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: Option<CurrentPrincipal>,
    Extension(source): Extension<Source>,
    Json(Token(token)): Json<Token>,
) -> Result<StatusCode, AuthError> {
    let by = current.as_ref().and_then(confirms_for);
    gate.recovery().verify_email(&tenant, &token, by, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    current: CurrentUser,
    Extension(source): Extension<Source>,
    Json(address): Json<Address>,
) -> Result<StatusCode, AuthError> {
    gate.recovery().change_email(&tenant, current.user(), &address.email()?, &source).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn forgot(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(address): Json<Address>,
) -> Result<StatusCode, AuthError> {
    gate.recovery().forgot_password(&tenant, &address.email()?, &source).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn reset(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(Reset { token, new_password }): Json<Reset>,
) -> Result<StatusCode, AuthError> {
    gate.recovery().reset_password(&tenant, &token, &new_password, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ask_for_link(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    Json(address): Json<Address>,
) -> Result<impl IntoResponse, AuthError> {
    let browser = gate.recovery().magic_link(&tenant, &address.email()?, &source).await?;
    let set = gate.link_cookie().set(&tenant.slug, &browser, Purpose::MagicLink.life());
    Ok((StatusCode::ACCEPTED, [(SET_COOKIE, set)]))
}

/// The cookie is half of the credential, so the page must be a known one, as for a session's cookie (S-053).
async fn redeem_link(
    State(gate): State<Wardgate>,
    tenant: CurrentTenant,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    Json(Token(token)): Json<Token>,
) -> Result<impl IntoResponse, AuthError> {
    if !gate.origins().admit(&Method::POST, &headers, Asked::Directly) {
        return Err(AuthError::CrossSite);
    }
    let held = cookie(&headers, &gate.link_cookie().name(&tenant.slug))?;
    let tokens: TokenPair = gate.signin().with_magic_link(&tenant, &token, held, &source).await?;
    Ok(([(SET_COOKIE, gate.link_cookie().clear(&tenant.slug))], axum::Json(tokens)))
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let by_address = |summary, sent| {
        operation("recovery", summary).json(&texts(&["email"], &[])).answers_empty(202, sent).refuses(&[
            "rate_limited",
            "unavailable",
            "mail_not_configured",
        ])
    };
    let same = "The answer is the same whether or not there is an account";
    vec![
        route(
            &Method::POST,
            "/auth/email/resend",
            Access::Public,
            resend,
            by_address("Mail another link that proves the address", same),
        ),
        route(
            &Method::POST,
            "/auth/email/verify",
            Access::Public,
            verify,
            operation(
                "recovery",
                "Prove an address by the token of its mail; a new one of an account, in a session of that account",
            )
                .json(&texts(&["token"], &[]))
                .answers_empty(204, "The address is proven, and the account's")
                .refuses(&[
                    "invalid_token",
                    "missing_credential",
                    "cross_site",
                    "wrong_account",
                    "rate_limited",
                    "unavailable",
                ]),
        ),
        route(
            &Method::POST,
            "/auth/email",
            Access::SteppedUp("email:write"),
            change,
            by_address(
                "Ask for another address, which has to be proven first",
                "A mail was sent to it; the answer is the same when it is another's",
            ),
        ),
        route(
            &Method::POST,
            "/auth/password/forgot",
            Access::Public,
            forgot,
            by_address("Mail a link that sets another password", same),
        ),
        route(
            &Method::POST,
            "/auth/password/reset",
            Access::Public,
            reset,
            operation("recovery", "Set a password by the token of a mail; every session ends")
                .json(&texts(&["token", "new_password"], &[]))
                .answers_empty(204, "Set; sign in with it")
                .refuses(&["invalid_token", "rate_limited", "busy", "unavailable"]),
        ),
        route(
            &Method::POST,
            "/auth/magic-link",
            Access::Public,
            ask_for_link,
            by_address("Mail a link that signs in, in this browser only: it gets a cookie", same),
        ),
        route(
            &Method::POST,
            "/auth/magic-link/redeem",
            Access::Public,
            redeem_link,
            operation("recovery", "Sign in by the token of a mail, in the browser that asked for it")
                .json(&texts(&["token"], &[]))
                .answers(200, "Tokens", &schema("TokenPair"))
                .refuses(&["invalid_token", "cross_site", "rate_limited", "unavailable"]),
        ),
    ]
}
