//! `/.well-known/jwks.json`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method};

use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::tenant::CurrentTenant;
use crate::web::openapi::{operation, schema};
use crate::web::routes::{Access, Route, route};

async fn jwks(State(gate): State<Wardgate>, tenant: CurrentTenant) -> Result<Response, AuthError> {
    let set = gate.keys().jwks(tenant.id).await?;
    let mut response = axum::Json(set).into_response();
    // Keys are published an hour before they sign, so five minutes of caching never give a false 401.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

pub(crate) fn routes() -> Vec<Route<Wardgate>> {
    let described = operation("keys", "The public keys that verify access tokens").answers(
        200,
        "RFC 7517 key set",
        &schema("JwkSet"),
    );
    vec![route(&Method::GET, "/.well-known/jwks.json", Access::Public, jwks, described)]
}
