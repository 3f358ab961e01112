//! What is counted, on a listener of its own: how busy one is concerns nobody who can reach the API (S-138).

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
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

/// Serves them until the process ends, to whoever asks for an address, a name that no stranger can own or one of `hosts`;
/// `door` and `certificates` are those of the API.
///
/// # Errors
/// The listener is of no use.
pub(crate) fn serve(
    gate: &Wardgate,
    door: &Door,
    certificates: &Certificates,
    listener: TcpListener,
    hosts: Vec<String>,
) -> Result<(), Failure> {
    let mut registry = Registry::with_prefix("wardgate");
    door.register(&mut registry);
    certificates.register(&mut registry);
    let metrics = Arc::new(Metrics { gate: gate.clone(), registry });
    let app = Router::new().route("/metrics", get(answer)).with_state(metrics);
    let app = app.layer(from_fn_with_state(Arc::<[String]>::from(hosts), admit));
    let own = Door::new(CONNECTIONS, serve::KEEP_ALIVE, false);
    let server = serve::bounded(axum_server::from_tcp(listener)?.acceptor(own));
    tokio::spawn(server.serve(app.into_make_service_with_connect_info::<SocketAddr>()));
    Ok(())
}

/// A page in a browser of this network reads what it likes once its own name leads here (DNS rebinding); it cannot change
/// the name that it asks for.
async fn admit(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match asked.is_some_and(|asked| is_meant(asked, &hosts)) {
        true => next.run(request).await,
        false => (StatusCode::MISDIRECTED_REQUEST, "name this host in metrics.hosts\n").into_response(),
    }
}

fn is_meant(asked: &str, hosts: &[String]) -> bool {
    let Ok(authority) = asked.parse::<Authority>() else { return false };
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_private = [".internal", ".local", ".localhost"].iter().any(|end| host.ends_with(end));
    is_address
        || !host.contains('.')
        || is_private
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(&host))
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

#[cfg(test)]
mod tests {
    use super::is_meant;

    // S-138
    #[test]
    fn a_name_that_a_stranger_can_own_is_answered_only_where_it_was_named() {
        let hosts = ["Wardgate.example.com".to_owned()];
        for asked in [
            "127.0.0.1:9464",
            "[::1]:9464",
            "10.0.0.5",
            "localhost:9464",
            "wardgate",
            "a.internal.",
            "wardgate.EXAMPLE.com:1",
        ] {
            assert!(is_meant(asked, &hosts), "{asked}");
        }
        for asked in [
            "evil.com",
            "evil.com:9464",
            "127.0.0.1.evil.com",
            "wardgate.example.com.evil.com",
            "internal.com",
            "a b",
            "",
        ] {
            assert!(!is_meant(asked, &hosts), "{asked}");
        }
    }
}
