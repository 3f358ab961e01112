//! The documentation page: Swagger UI from inside the binary, so that it works offline.

use axum::Router;
use http::HeaderValue;
use serde_json::Value;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Where the page lies.
pub(crate) const DOCS_PATH: &str = "/docs";

/// The page brings its own scripts and styles as files; only Swagger UI's inline style attributes and its
/// `data:` images need an exception. Inline scripts stay forbidden (S-135).
pub(crate) const DOCS_CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `/docs` and `/openapi.json`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(description: Value) -> Router<S> {
    // The validator badge would send the description's address to a stranger.
    let config = Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .persist_authorization(false)
        .validator_url("none");
    SwaggerUi::new(DOCS_PATH).external_url_unchecked("/openapi.json", description).config(config).into()
}
