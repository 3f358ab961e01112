//! What is counted, on a listener of its own: how busy one is concerns nobody who can reach the API (S-138).

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use wardgate::Wardgate;

use crate::door::Door;
use crate::failure::Failure;
use crate::serve;
use crate::tls::Certificates;

/// A scraper needs one; a second may be looking.
const CONNECTIONS: usize = 16;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is served.
struct Metrics {
    gate: Wardgate,
    registry: Registry,
}

/// Serves them until the process ends; `door` and `certificates` are those of the API.
///
/// # Errors
/// The listener is of no use.
pub(crate) fn serve(
    gate: &Wardgate,
    door: &Door,
    certificates: &Certificates,
    listener: TcpListener,
) -> Result<(), Failure> {
    let mut registry = Registry::with_prefix("wardgate");
    door.register(&mut registry);
    certificates.register(&mut registry);
    let metrics = Arc::new(Metrics { gate: gate.clone(), registry });
    let app = Router::new().route("/metrics", get(answer)).with_state(metrics);
    let own = Door::new(CONNECTIONS, serve::KEEP_ALIVE, false);
    let server = serve::bounded(axum_server::from_tcp(listener)?.acceptor(own));
    tokio::spawn(server.serve(app.into_make_service_with_connect_info::<SocketAddr>()));
    Ok(())
}

async fn answer(State(metrics): State<Arc<Metrics>>) -> Response {
    let mut text = String::new();
    let written = metrics
        .gate
        .write_metrics(&mut text)
        .and_then(|()| encode_registry(&mut text, &metrics.registry))
        .and_then(|()| encode_eof(&mut text));
    let headers = [(header::CONTENT_TYPE, OPEN_METRICS), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    match written {
        Ok(()) => (headers, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
