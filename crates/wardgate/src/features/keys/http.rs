//! `/.well-known/jwks.json` and `/admin/keys`.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, StatusCode};

use super::model::KeyView;
use crate::authn::CurrentPrincipal;
use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::page::Page;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::openapi::{operation, page_of, schema};
use crate::web::routes::{Access, Route, route};

async fn jwks(State(gate): State<Wardgate>, tenant: CurrentTenant) -> Result<Response, AuthError> {
    let set = gate.keys().jwks(tenant.id).await?;
    let mut response = axum::Json(set).into_response();
    // Keys are published an hour before they sign, so five minutes of caching never give a false 401.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

async fn list(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
) -> Result<axum::Json<Page<KeyView>>, AuthError> {
    Ok(axum::Json(Page { items: gate.keys().list(current.tenant()).await?, next_cursor: None }))
}

async fn rotate(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
) -> Result<(StatusCode, axum::Json<KeyView>), AuthError> {
    let (tenant, actor) = (current.tenant(), current.principal().subject.into());
    let kid = gate.keys().rotate(tenant, actor, &source).await?;
    let made = gate.keys().list(tenant).await?.into_iter().find(|key| key.kid == kid);
    Ok((StatusCode::CREATED, axum::Json(made.ok_or(AuthError::NotFound)?)))
}

async fn retire(
    State(gate): State<Wardgate>,
    current: CurrentPrincipal,
    Extension(source): Extension<Source>,
    Path(kid): Path<String>,
) -> Result<StatusCode, AuthError> {
    let actor = current.principal().subject.into();
    gate.keys().retire_now(current.tenant(), &kid, actor, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let described = operation("signing keys", "The public keys that verify access tokens").answers(
        200,
        "RFC 7517 key set",
        &schema("JwkSet"),
    );
    let tag = "signing keys";
    vec![
        route(&Method::GET, "/.well-known/jwks.json", Access::Public, jwks, described),
        route(
            &Method::GET,
            "/admin/keys",
            Access::Permission("keys:read"),
            list,
            operation(tag, "The signing keys, newest first; all on one page").answers(
                200,
                "The keys, without what is secret of them",
                &page_of(&schema("SigningKey")),
            ),
        ),
        route(
            &Method::POST,
            "/admin/keys/rotate",
            Access::SteppedUp("keys:write"),
            rotate,
            operation(tag, "Publish a new key, which takes over in an hour; tokens stay good")
                .answers(201, "The key", &schema("SigningKey"))
                .refuses(&["invalid_fields"]),
        ),
        route(
            &Method::POST,
            "/admin/keys/{kid}/retire",
            Access::SteppedUp("keys:write"),
            retire,
            operation(tag, "Withdraw a key that may be in wrong hands: its tokens end at once")
                .path_parameter("kid")
                .answers_empty(204, "Withdrawn; if it was the one that signs, another has taken its place")
                .refuses(&["not_found", "invalid_fields"]),
        ),
    ]
}
