//! The table of routes: from it come the router, the API description and the access tests.

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::{HeaderValue, Method, header};

use super::openapi::Operation;
use crate::kernel::error::AuthError;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody. A credential beside it is ignored.
    Public,
    /// Whoever has a good credential.
    SignedIn,
    /// Whoever has this permission, by a credential that leaves it.
    Permission(&'static str),
    /// As [`Permission`](Self::Permission), and has signed in or stepped up within 15 minutes.
    SteppedUp(&'static str),
    /// Whoever presents an API key itself.
    ApiKeyHolder,
    /// Whoever has a good credential, as a proxy asks; every refusal is 401 or 403.
    ForwardAuth,
    /// Whoever holds a bearer token or a refresh token.
    TokenHolder,
}

/// One route, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// One entry of the table.
pub(crate) struct Route<S> {
    pub(crate) endpoint: Endpoint,
    pub(crate) operation: Operation,
    handler: MethodRouter<S>,
}

impl<S> Route<S> {
    /// Puts what holds the route to its [`Access`] around its handler.
    pub(crate) fn guarded(self, guard: impl FnOnce(MethodRouter<S>, Access) -> MethodRouter<S>) -> Self {
        Self { handler: guard(self.handler, self.endpoint.access), ..self }
    }
}

/// Declares a route. `method` is one of the five that have handlers here.
pub(crate) fn route<H, T, S>(
    method: &Method,
    path: &'static str,
    access: Access,
    handler: H,
    operation: Operation,
) -> Route<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the methods in the table are ordinary ones");
    Route {
        endpoint: Endpoint { method: method.clone(), path, access },
        operation,
        handler: on(filter, handler),
    }
}

/// The router of a table: every path answers its methods, and 405 with `Allow` to the rest.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(table: Vec<Route<S>>) -> Router<S> {
    let mut paths: BTreeMap<&'static str, Vec<Route<S>>> = BTreeMap::new();
    for route in table {
        paths.entry(route.endpoint.path).or_default().push(route);
    }
    paths.into_iter().fold(Router::new(), |router, (path, routes)| router.route(path, methods(routes)))
}

fn methods<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>) -> MethodRouter<S> {
    let allow = allow_header(&routes);
    let merged = routes.into_iter().fold(MethodRouter::new(), |merged, route| merged.merge(route.handler));
    merged.fallback(move || std::future::ready(method_not_allowed(&allow)))
}

fn allow_header<S>(routes: &[Route<S>]) -> HeaderValue {
    let mut names: Vec<&str> = routes.iter().map(|route| route.endpoint.method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    HeaderValue::from_str(&names.join(", ")).expect("method names are visible ASCII")
}

fn method_not_allowed(allow: &HeaderValue) -> Response {
    let mut response = AuthError::MethodNotAllowed.into_response();
    response.headers_mut().insert(header::ALLOW, allow.clone());
    response
}
