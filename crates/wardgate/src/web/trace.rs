//! The span around a request, for who collects traces.
//!
//! What a span says comes from closed sets and from what the server made itself: no path as it was asked for, no address,
//! no word of a client's (S-156). All are at the level `trace`, so that where nobody collects them none is made.

use axum::extract::MatchedPath;
use http::{Method, StatusCode};
use tracing::Span;
use tracing::field::{Empty, display};

use crate::kernel::ids::{RequestId, TenantId};

const TENANT: &str = "wardgate.tenant";

/// A span for one request, which `route` answers as far as is known by now: what collects spans takes a name once. The
/// fields' names are those of OpenTelemetry's semantic conventions.
pub(crate) fn request(method: &Method, route: Option<&MatchedPath>, id: RequestId) -> Span {
    let name = || {
        route
            .map_or_else(|| known(method).to_owned(), |route| format!("{} {}", known(method), route.as_str()))
    };
    tracing::trace_span!(
        "request",
        otel.kind = "server",
        otel.name = name(),
        otel.status_code = Empty,
        http.request.method = known(method),
        http.route = Empty,
        http.response.status_code = Empty,
        wardgate.request_id = %id,
        wardgate.tenant = Empty,
    )
}

/// Says which tenant the request of this moment is for.
pub(crate) fn of_tenant(id: TenantId) {
    Span::current().record(TENANT, display(id));
}

/// Says what came of it; `route` is the pattern, if it was a route's.
pub(crate) fn answered(span: &Span, route: Option<&str>, status: StatusCode) {
    if let Some(route) = route {
        span.record("http.route", route);
    }
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// A method may be any word of a client's; the conventions have this one for all that are not known.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
