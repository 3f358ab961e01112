//! Row 4: the pages for people, as plain HTML that needs no script.
//!
//! They are a second face of the routes: each form is read by the reader of its JSON route, admitted by that route's
//! [`Access`], and answered by the same service. What a page adds is words, and where to go next.

mod accent;
mod account;
mod api_keys;
mod device;
mod files;
mod form;
mod frame;
mod guard;
mod mailed;
mod organizations;
mod providers;
mod sessions;
mod sign_in;
mod visit;
mod words;

use axum::handler::Handler;
use http::Method;

pub(crate) use files::files;
pub(crate) use guard::{guard, retold, turn_away};

use crate::gate::Wardgate;
use crate::web::openapi::operation;
use crate::web::routes::{Access, Endpoint, Route, route};

/// What a page's form is admitted by is what the JSON route of the same deed asks for; tests compare the two.
pub(crate) fn table() -> Vec<Route<Wardgate>> {
    [
        sign_in::pages(),
        mailed::pages(),
        account::pages(),
        sessions::pages(),
        api_keys::pages(),
        providers::pages(),
        organizations::pages(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes of the API to which a browser goes by itself, so that people read what they refuse.
pub(crate) fn is_visited(endpoint: &Endpoint) -> bool {
    ["/auth/login/{provider}", "/auth/callback/{provider}"].contains(&endpoint.path)
}

fn shown<H: Handler<T, Wardgate>, T: 'static>(
    path: &'static str,
    access: Access,
    handler: H,
) -> Route<Wardgate> {
    route(&Method::GET, path, access, handler, operation("pages", "A page for people"))
}

fn sent<H: Handler<T, Wardgate>, T: 'static>(
    path: &'static str,
    access: Access,
    handler: H,
) -> Route<Wardgate> {
    route(&Method::POST, path, access, handler, operation("pages", "A form of a page for people"))
}
