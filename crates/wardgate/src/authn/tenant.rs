//! Which tenant a request is for.

use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Uri};

use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::tenant::CurrentTenant;

/// The tenant that a superadmin acts on, by a path below `/admin/tenants/{id}`.
#[derive(Debug, Clone)]
pub(crate) struct ActsOn(pub(crate) TenantId);

/// The middleware that finds the tenant by the request's host, unless its path has named one already.
pub(crate) async fn by_host(State(gate): State<Wardgate>, mut request: Request, next: Next) -> Response {
    if request.extensions().get::<CurrentTenant>().is_some() {
        return next.run(request).await;
    }
    match gate.tenants().by_host(&asked_host(request.uri(), request.headers())).await {
        Ok(tenant) => {
            request.extensions_mut().insert(tenant);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The host that a request names: in the URI, as HTTP/2 does (RFC 9113 §8.3.1) and HTTP/1 may, which then overrules the
/// header (RFC 9112 §3.2.2).
fn asked_host(uri: &Uri, headers: &HeaderMap) -> String {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.or_else(header).unwrap_or_default().to_owned()
}

/// The tenant of the request; on a route of the application's own, the one that its host names.
pub(crate) async fn tenant_of(parts: &mut Parts, gate: &Wardgate) -> Result<CurrentTenant, AuthError> {
    if let Some(known) = parts.extensions.get::<CurrentTenant>() {
        return Ok(known.clone());
    }
    let host = asked_host(&parts.uri, &parts.headers);
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
