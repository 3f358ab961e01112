//! Which tenant a request is for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use http::header::HOST;
use http::request::Parts;
use http::{Extensions, HeaderMap, Uri};

use crate::gate::Wardgate;
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::tenant::CurrentTenant;

/// The tenant that a superadmin acts on, by a path below `/admin/tenants/{id}`.
#[derive(Debug, Clone)]
pub(crate) struct ActsOn(pub(crate) TenantId);

/// The tenant that the path names, where its host lets it.
pub(crate) async fn below_path(
    gate: &Wardgate,
    slug: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<CurrentTenant, AuthError> {
    gate.tenants().by_slug_at(slug, &asked_host(uri, headers)).await
}

/// The tenant that a trusted proxy names; else the one that the host names.
pub(crate) async fn beside_path(
    gate: &Wardgate,
    uri: &Uri,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<CurrentTenant, AuthError> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    match said_by_proxy(gate, peer, headers)? {
        Some(TenantId::DEFAULT_SLUG) => Ok(gate.tenants().default_tenant()),
        Some(slug) => gate.tenants().by_slug(slug).await,
        None => gate.tenants().by_host(&asked_host(uri, headers)).await,
    }
}

/// The slug in the header of tenants, read only if the peer itself is a trusted proxy: anybody can write a header.
///
/// Two of them are the proxy's beside its client's, and nobody knows which is which.
fn said_by_proxy<'h>(
    gate: &Wardgate,
    peer: Option<IpAddr>,
    headers: &'h HeaderMap,
) -> Result<Option<&'h str>, AuthError> {
    let web = &gate.0.web;
    let is_trusted =
        |peer: IpAddr| web.trusted_proxies.iter().any(|proxy| proxy.contains(peer.to_canonical()));
    let Some(name) = web.tenant_header.as_ref().filter(|_| peer.is_some_and(is_trusted)) else {
        return Ok(None);
    };
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(AuthError::NotFound),
        (value, _) => value.map(|value| value.to_str().map_err(|_| AuthError::NotFound)).transpose(),
    }
}

/// The host that a request names: in the URI, as HTTP/2 does (RFC 9113 §8.3.1) and HTTP/1 may, which then overrules the
/// header (RFC 9112 §3.2.2).
fn asked_host(uri: &Uri, headers: &HeaderMap) -> String {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.or_else(header).unwrap_or_default().to_owned()
}

/// The tenant of the request; on a route of the application's own, the one that a trusted proxy or its host names.
pub(crate) async fn tenant_of(parts: &mut Parts, gate: &Wardgate) -> Result<CurrentTenant, AuthError> {
    if let Some(known) = parts.extensions.get::<CurrentTenant>() {
        return Ok(known.clone());
    }
    let tenant = beside_path(gate, &parts.uri, &parts.headers, &parts.extensions).await?;
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
