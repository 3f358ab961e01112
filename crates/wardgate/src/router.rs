//! Merges the features' routes and puts the layers around them. Nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{Extensions, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::authn::{ActsOn, admit, below_path, beside_path};
use crate::features::{
    api_keys, audit, federation, keys, lifecycle, organizations, password, principals, recovery, roles,
    service_accounts, sessions, setup, signin, tenants, tokens,
};
use crate::gate::{CorsOrigins, Wardgate};
use crate::kernel::error::AuthError;
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::web::openapi::{document, operation, schema};
use crate::web::problem::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::web::routes::{Access, Route, route, router};
use crate::web::{docs, envelope, inbox, trace};

/// The table of all routes.
pub(crate) fn table() -> Vec<Route<Wardgate>> {
    [
        password::http::routes(),
        federation::http::routes(),
        signin::http::routes(),
        tokens::http::routes(),
        principals::http::routes(),
        recovery::http::routes(),
        lifecycle::http::routes(),
        roles::http::routes(),
        service_accounts::http::routes(),
        tenants::http::routes(),
        api_keys::http::routes(),
        organizations::http::routes(),
        sessions::http::routes(),
        keys::http::routes(),
        audit::http::routes(),
        setup::http::routes(),
        health(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The API description of the table.
pub(crate) fn description() -> Value {
    let operations = table().into_iter().map(|route| (route.endpoint, route.operation)).collect();
    document(
        operations,
        [api_keys::http::schemas(), federation::http::schemas(), organizations::http::schemas()].concat(),
    )
}

/// The routes for an application that has its own others.
pub(crate) fn embedded<S: Clone + Send + Sync + 'static>(gate: &Wardgate) -> Router<S> {
    layered(routes(gate), gate).with_state(gate.clone())
}

/// The routes as a server of their own.
pub(crate) fn standalone(gate: &Wardgate) -> Router {
    layered(routes(gate).fallback(async || AuthError::NotFound), gate).with_state(gate.clone())
}

fn routes(gate: &Wardgate) -> Router<Wardgate> {
    let root = of_one_tenant(gate);
    // What is below a tenant's path is what is at the root, asked under another tenant.
    let inner = root.clone().layer(from_fn(envelope::tell_route));
    let inner = inner.fallback(async || AuthError::NotFound).with_state(gate.clone());
    let of_tenants = Router::new()
        .route("/t/{slug}/{*path}", any(below_slug))
        .route("/admin/tenants/{id}/{*path}", any(below_id))
        .with_state((gate.clone(), inner));
    let routes = root.layer(from_fn_with_state(gate.clone(), at_root)).merge(of_tenants);
    let routes = if gate.0.web.docs { routes.merge(docs::router(description())) } else { routes };
    match &gate.0.dev_inbox {
        Some(mails) => routes.merge(inbox::router(Arc::clone(mails))),
        None => routes,
    }
}

fn of_one_tenant(gate: &Wardgate) -> Router<Wardgate> {
    let guarded = table().into_iter().map(|route| {
        route.guarded(|handler, access| match access {
            // A logout takes a refresh token in its body as well, so its handler looks for itself.
            Access::Public | Access::TokenHolder => handler,
            access => handler.layer(from_fn_with_state((gate.clone(), access), admit)),
        })
    });
    let routes: Vec<_> = guarded.collect();
    #[cfg(feature = "pages")]
    let routes = if gate.0.pages { with_pages(routes, gate) } else { routes };
    gate.0.env.meter.know(routes.iter().map(|route| route.endpoint.path));
    router(routes)
}

#[cfg(feature = "pages")]
fn with_pages(routes: Vec<Route<Wardgate>>, gate: &Wardgate) -> Vec<Route<Wardgate>> {
    let visited = |route: Route<Wardgate>| match crate::pages::is_visited(&route.endpoint) {
        true => {
            route.guarded(|handler, _| handler.layer(from_fn_with_state(gate.clone(), crate::pages::retold)))
        }
        false => route,
    };
    let mut routes: Vec<_> = routes.into_iter().map(visited).collect();
    let guarded = crate::pages::table().into_iter().map(|route| {
        route.guarded(|handler, access| {
            handler.layer(from_fn_with_state((gate.clone(), access), crate::pages::guard))
        })
    });
    routes.extend(guarded);
    routes.extend(crate::pages::files());
    routes
}

/// What is asked for beside all paths of tenants.
async fn at_root(State(gate): State<Wardgate>, mut request: Request, next: Next) -> Response {
    match beside_path(&gate, request.uri(), request.headers(), request.extensions()).await {
        Ok(tenant) => {
            trace::of_tenant(tenant.id);
            request.extensions_mut().insert(tenant);
            next.run(request).await
        }
        Err(refusal) => turn_away(&gate, request, refusal),
    }
}

/// The answer where no tenant is there to answer.
#[cfg_attr(
    not(feature = "pages"),
    expect(unused_variables, clippy::needless_pass_by_value, reason = "only pages tell it in another way")
)]
fn turn_away(gate: &Wardgate, request: Request, refusal: AuthError) -> Response {
    #[cfg(feature = "pages")]
    if gate.0.pages {
        return crate::pages::turn_away(gate, request, refusal);
    }
    refusal.into_response()
}

type Inner = (Wardgate, Router);

/// `/t/{slug}/…`
async fn below_slug(State((gate, inner)): State<Inner>, mut request: Request) -> Response {
    let path = request.uri().path().strip_prefix("/t/").unwrap_or_default();
    let (slug, rest) = path.split_once('/').unwrap_or((path, ""));
    match below_path(&gate, slug, request.uri(), request.headers()).await {
        Ok(tenant) => {
            let rest = format!("/{rest}");
            trace::of_tenant(tenant.id);
            request.extensions_mut().insert(tenant);
            ask(inner, request, &rest).await
        }
        Err(refusal) => turn_away(&gate, request, refusal),
    }
}

/// `/admin/tenants/{id}/…`: what an administrator of that tenant would ask for at `/admin/…`.
async fn below_id(State((gate, inner)): State<Inner>, mut request: Request) -> Response {
    let path = request.uri().path().strip_prefix("/admin/tenants/").unwrap_or_default();
    let (id, rest) = path.split_once('/').unwrap_or((path, ""));
    let of_tenants = rest.split('/').next() == Some("tenants");
    match id.parse() {
        Ok(id) if !of_tenants => {
            let rest = format!("/admin/{rest}");
            request.extensions_mut().insert(gate.tenants().default_tenant());
            request.extensions_mut().insert(ActsOn(id));
            ask(inner, request, &rest).await
        }
        _ => ask(inner, request, "/admin/tenants/none").await,
    }
}

fn carry<T: Clone + Send + Sync + 'static>(outer: &Extensions, request: &mut Request) {
    if let Some(value) = outer.get::<T>() {
        request.extensions_mut().insert(value.clone());
    }
}

async fn ask(inner: Router, mut request: Request, path: &str) -> Response {
    let asked = match request.uri().query() {
        Some(query) => format!("{path}?{query}").parse(),
        None => path.parse(),
    };
    let Ok(uri) = asked else { return AuthError::NotFound.into_response() };
    *request.uri_mut() = uri;
    // axum keeps the parameters of the outer path among the extensions, and would count them in with the inner's.
    let outer = std::mem::take(request.extensions_mut());
    carry::<Source>(&outer, &mut request);
    carry::<ConnectInfo<SocketAddr>>(&outer, &mut request);
    carry::<CurrentTenant>(&outer, &mut request);
    carry::<ActsOn>(&outer, &mut request);
    inner.oneshot(request).await.into_response()
}

fn layered(routes: Router<Wardgate>, gate: &Wardgate) -> Router<Wardgate> {
    // In one, the outermost first: each call to `layer` is a box around every route, which each request copies with all
    // that are inside.
    routes.layer((
        from_fn_with_state(Arc::clone(&gate.0.envelope), envelope::wrap),
        cors(&gate.0.web.cors),
        CatchPanicLayer::custom(|_| {
            AuthError::internal("answer a request", "a handler panicked").into_response()
        }),
    ))
}

fn cors(origins: &CorsOrigins) -> CorsLayer {
    let CorsOrigins { exact, any_loopback } = origins.clone();
    // Compared whole: a prefix, a suffix or `null` is another site (S-055).
    let allowed = move |origin: &HeaderValue, _: &http::request::Parts| {
        let origin = origin.to_str().unwrap_or_default();
        exact.iter().any(|known| known == origin) || (any_loopback && is_loopback(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("x-api-key")])
        .expose_headers([header::RETRY_AFTER, header::WWW_AUTHENTICATE, RATE_LIMIT, RATE_LIMIT_POLICY])
        .max_age(std::time::Duration::from_secs(600))
}

fn is_loopback(origin: &str) -> bool {
    let uri: Option<http::Uri> = origin.parse().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

async fn healthz() -> axum::Json<Value> {
    axum::Json(json!({ "status": "ok" }))
}

async fn readyz(State(gate): State<Wardgate>) -> Response {
    if gate.is_ready().await {
        axum::Json(json!({ "status": "ready" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "status": "not ready" }))).into_response()
    }
}

fn health() -> Vec<Route<Wardgate>> {
    let answers = |summary| operation("health", summary).answers(200, "Yes", &schema("Health"));
    let ready = answers("Whether requests can be served").answers(503, "Not now", &schema("Health"));
    vec![
        route(&Method::GET, "/healthz", Access::Public, healthz, answers("Whether the process lives")),
        route(&Method::GET, "/readyz", Access::Public, readyz, ready),
    ]
}
