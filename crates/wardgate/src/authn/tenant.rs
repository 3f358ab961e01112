//! Which tenant a request is for.

use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::request::Parts;

use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::tenant::CurrentTenant;

/// The tenant that a superadmin acts on, by a path below `/admin/tenants/{id}`.
#[derive(Debug, Clone)]
pub(crate) struct ActsOn(pub(crate) CurrentTenant);

/// The middleware that finds the tenant by the request's host, unless its path has named one already.
pub(crate) async fn by_host(State(gate): State<Wardgate>, mut request: Request, next: Next) -> Response {
    if request.extensions().get::<CurrentTenant>().is_some() {
        return next.run(request).await;
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host =
        host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    match gate.tenants().by_host(host).await {
        Ok(tenant) => {
            request.extensions_mut().insert(tenant);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The tenant of the request; on a route of the application's own, the one that its host names.
pub(crate) async fn tenant_of(parts: &mut Parts, gate: &Wardgate) -> Result<CurrentTenant, AuthError> {
    if let Some(known) = parts.extensions.get::<CurrentTenant>() {
        return Ok(known.clone());
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let tenant = gate.tenants().by_host(&host).await?;
    parts.extensions.insert(tenant.clone());
    Ok(tenant)
}

impl<S> FromRequestParts<S> for CurrentTenant
where
    Wardgate: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AuthError> {
        tenant_of(parts, &Wardgate::from_ref(state)).await
    }
}
