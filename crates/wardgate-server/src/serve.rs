//! `serve`: from a configuration to a server that stops when it is told to.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Server;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use wardgate::{MasterKey, Wardgate};
use zeroize::Zeroizing;

use crate::banner::Banner;
use crate::cli::{Common, Serve};
use crate::config::{Config, Flag, Mode};
use crate::datadir::{DataDir, ServerLock};
use crate::door::Door;
use crate::failure::Failure;
use crate::metrics;
use crate::telemetry;
use crate::tls::{Answered, Certificates, Ordered, Watch};
use crate::wire;

/// Files that are open besides connections: the database's, with its pool, and requests of our own.
const OTHER_FILES: u64 = 256;

/// A client that sends its head slower than this holds a connection for nothing (S-145).
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may wait for its next request. Longer than the 60 s for which nginx keeps a connection to an
/// upstream, or the two would race and a client read 502.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Above the 16 KiB at which our own 431 says what to do.
const HTTP1_BUFFER: usize = 64 * 1024;
const HTTP2_HEADER_LIST: u32 = 32 * 1024;
const HTTP2_STREAMS: u32 = 100;

/// Requests and closing together leave the process gone within ten seconds, of the signal or of the delay after it.
const LONGEST_GRACE: Duration = Duration::from_secs(9);
const CLOSING: Duration = Duration::from_millis(800);

/// A server about to start: all that can be refused was looked at.
struct Start {
    mode: Mode,
    config: Config,
    data: DataDir,
    database: wardgate::DatabaseUrl,
    master_key: MasterKey,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<(TcpListener, SocketAddr)>,
    json: bool,
    telemetry: telemetry::Running,
    _lock: Option<ServerLock>,
}

/// Runs until a signal; returns once everything accepted is answered and on the disk.
///
/// # Errors
/// Whatever keeps it from starting.
pub(crate) fn run(args: Serve, common: &Common) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let start = prepare(args, common, runtime.handle());
    let result = start.and_then(|start| runtime.block_on(start.serve()));
    // A thread that still works for a client that has gone must not hold the process up.
    runtime.shutdown_background();
    result
}

fn prepare(args: Serve, common: &Common, runtime: &Handle) -> Result<Start, Failure> {
    let mode = if args.dev { Mode::Dev } else { Mode::Production };
    let listen = args.listen.map(|value| Flag { name: "--listen", setting: "server.listen", value });
    let config = wire::settings(common, listen.as_slice(), mode)?;
    let telemetry = telemetry::start(&config, runtime)?;
    for warning in warnings(&config, mode) {
        tracing::warn!("{warning}");
    }
    let data = DataDir::new(&common.data_dir);
    let database = data.database(&config.database.url)?;
    let given = wire::master_key(&config)?;
    if given.is_none() {
        data.refuse_keyless(&database)?;
    }
    // Before the port: of two servers on one folder the second should hear about the folder.
    let lock = ServerLock::take(&database)?;
    let master_key = given.map_or_else(|| data.master_key_or_new(), Ok)?;
    let (listener, address) = listen_on(config.server.listen, "--listen")?;
    let metrics = config.metrics.listen.map(|address| listen_on(address, "metrics.listen")).transpose()?;
    make_room_for(config.server.max_connections);
    Ok(Start {
        mode,
        config,
        data,
        database,
        master_key,
        listener,
        address,
        metrics,
        json: common.json,
        telemetry,
        _lock: lock,
    })
}

fn listen_on(address: SocketAddr, setting: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address);
    let listener = listener.and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    listener.map_err(|error| {
        Failure::refused(format!(
            "cannot listen on {address}: {error}. Choose another address with {setting}, such as \
             {setting} 127.0.0.1:{}",
            if address.port() == 8081 { 8082 } else { 8081 }
        ))
    })
}

/// Lets the process have as many files open as connections need, as far as the system allows it: the limit that a shell
/// or a service manager sets is often 1024.
fn make_room_for(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::Nofile);
    // No limit at all is `None`.
    let Some(current) = limit.current.filter(|current| *current < wanted) else { return };
    let possible = limit.maximum.map_or(wanted, |most| wanted.min(most));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit }).is_ok();
    if !raised || possible < wanted {
        let open = if raised { possible } else { current };
        tracing::warn!(
            open,
            wanted,
            "the process may have fewer files open than server.max_connections needs"
        );
    }
}

/// What is right, but seldom meant.
fn warnings(config: &Config, mode: Mode) -> Vec<&'static str> {
    let (server, mut warnings) = (&config.server, Vec::new());
    if server.nodes > 1 && config.redis.url.is_none() {
        warnings.push(
            "server.nodes is over 1 and redis.url is not set: this server lets through only its part of every rate limit",
        );
    }
    // In production without TLS here it ends at a proxy, so that every request comes from one.
    if mode == Mode::Production && !config.ends_tls() && server.trusted_proxies.is_empty() {
        warnings.push(
            "server.trusted_proxies is empty: whoever comes through one proxy counts as one source in rate limits",
        );
    }
    warnings
}

impl Start {
    async fn serve(self) -> Result<(), Failure> {
        let signals = Signals::listen()?;
        let production = self.mode == Mode::Production;
        // A service that is told to reload, where there is nothing to, must not end of it.
        let _reload = production.then(|| signal(SignalKind::hangup())).transpose()?;
        let live = Arc::new(Certificates::default());
        let watch = |places| Watch::new(places, Arc::clone(&live), production);
        let watch = self.config.server.tls.clone().map(watch).transpose()?;
        let ends_tls = self.config.ends_tls();
        let scheme = if ends_tls { "https" } else { "http" };
        let origin = format!("{scheme}://{}", self.address);
        let issuer = self.config.server.issuer.clone().unwrap_or_else(|| origin.clone());
        let gate = wire::builder(&self.config, self.mode)?
            .issuer(issuer)
            .database(wire::db_options(self.database.clone(), &self.config.database))
            .master_key(self.master_key)
            .build()
            .await?;
        let banner = Banner {
            docs: self.config.server.docs.then(|| format!("{origin}/docs")),
            data: match &self.database {
                wardgate::DatabaseUrl::Sqlite(_) => self.data.shown(),
                server => server.to_string(),
            },
            metrics: self.metrics.as_ref().map(|(_, address)| format!("http://{address}/metrics")),
            setup: setup_link(&gate, self.mode, &origin).await?,
            dev: self.mode == Mode::Dev,
            listening: origin,
        };
        // Nobody reading is no reason not to serve.
        let _ = banner.print(&mut io::stdout().lock(), self.json);
        drop(banner);
        let server = &self.config.server;
        let door = Door::new(server.max_connections, KEEP_ALIVE, ends_tls);
        if let Some((listener, _)) = self.metrics {
            metrics::serve(&gate, &door, &live, listener, self.config.metrics.hosts)?;
        }
        match watch {
            Some(watch) => drop(tokio::spawn(watch.keep())),
            None if ends_tls => {
                let ordered = Ordered::new(gate.clone(), Arc::clone(&live)).await?;
                tokio::spawn(ordered.keep());
            }
            None => {}
        }
        let entrance = Entrance { listener: self.listener, door, tls: ends_tls.then_some(live) };
        let stop = Stop { delay: server.shutdown_delay, grace: server.shutdown_grace.min(LONGEST_GRACE) };
        let app = self.telemetry.around(gate.clone().into_app());
        answer(&gate, app, entrance, stop, signals).await?;
        // What was answered is committed; this only ends idle threads, folds the write-ahead log in and sends the last spans.
        let _ =
            tokio::time::timeout(CLOSING, async { tokio::join!(gate.close(), self.telemetry.close()) }).await;
        Ok(())
    }
}

/// Each start without a superadmin makes a new link, which kills the one before.
async fn setup_link(gate: &Wardgate, mode: Mode, origin: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    if mode != Mode::Dev {
        return Ok(None);
    }
    let token = gate.setup().new_link(&gate.own_source()).await?;
    // A fragment stays in the browser: no access log has it.
    Ok(token.map(|token| Zeroizing::new(format!("{origin}/setup#token={}", token.as_str()))))
}

/// Where connections come in.
struct Entrance {
    listener: TcpListener,
    door: Door,
    /// `None`: plain HTTP.
    tls: Option<Arc<Certificates>>,
}

/// How a stop goes on.
struct Stop {
    /// For so long connections are still taken.
    delay: Duration,
    /// And for so long after that are requests under way.
    grace: Duration,
}

async fn answer(
    gate: &Wardgate,
    app: Router,
    entrance: Entrance,
    stop: Stop,
    signals: Signals,
) -> Result<(), Failure> {
    let (handle, app) = (axum_server::Handle::new(), app.into_make_service_with_connect_info::<SocketAddr>());
    tokio::spawn(stop_on_signal(gate.clone(), entrance.door.clone(), handle.clone(), stop, signals));
    let server = axum_server::from_tcp(entrance.listener)?.handle(handle);
    match entrance.tls {
        None => bounded(server.acceptor(entrance.door)).serve(app).await?,
        Some(live) => bounded(server.acceptor(secured(live.config(), entrance.door))).serve(app).await?,
    }
    Ok(())
}

/// The door is the outer one: who is in the middle of a handshake has a place, and can lose it.
fn secured(live: RustlsConfig, door: Door) -> Answered<Door> {
    Answered(RustlsAcceptor::new(live).handshake_timeout(HANDSHAKE_TIMEOUT).acceptor(door))
}

/// What one connection may take.
pub(crate) fn bounded<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server.first_request_timeout(HEAD_TIMEOUT);
    server.http_builder().http1().header_read_timeout(KEEP_ALIVE).max_buf_size(HTTP1_BUFFER);
    server
        .http_builder()
        .http2()
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HTTP2_HEADER_LIST);
    server
}

async fn stop_on_signal(
    gate: Wardgate,
    door: Door,
    handle: axum_server::Handle<SocketAddr>,
    stop: Stop,
    mut signals: Signals,
) {
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping");
    gate.begin_stop();
    door.begin_stop();
    let stopping = async {
        tokio::time::sleep(stop.delay).await;
        handle.graceful_shutdown(Some(stop.grace));
        std::future::pending().await
    };
    let name = tokio::select! {
        name = signals.next() => name,
        never = stopping => never,
    };
    tracing::warn!(signal = name, "a second signal: gone at once");
    std::process::exit(1);
}

/// The two signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals no longer end the process by themselves.
    fn listen() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;
    use tokio::time::Instant;

    use super::*;
    use crate::config::load;
    use crate::tls::testing::certificate;

    // S-145
    #[tokio::test(start_paused = true)]
    async fn who_does_not_agree_on_keys_is_shown_out() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Arc::new(Certificates::default());
        certificates.replace(&[certificate(folder.path(), "a").load().unwrap()]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = axum_server::from_tcp(listener).unwrap();
        let server = bounded(server.acceptor(secured(certificates.config(), Door::new(8, KEEP_ALIVE, true))));
        tokio::spawn(server.serve(axum::Router::new().into_make_service()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let came = Instant::now();
        assert_eq!(silent.read(&mut [0; 64]).await.unwrap(), 0);
        let stayed = came.elapsed();
        assert!((HANDSHAKE_TIMEOUT..HANDSHAKE_TIMEOUT * 2).contains(&stayed), "{stayed:?}");
    }

    fn warned(mode: Mode, variables: &[(&str, &str)]) -> String {
        let given = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        warnings(&Config::check(&load(&[], given, &[]), mode).unwrap(), mode).join("\n")
    }

    #[test]
    fn what_is_seldom_meant_is_said_at_the_start() {
        assert_eq!(warned(Mode::Dev, &[]), "");
        let postgres = ("WARDGATE_DATABASE__URL", "postgres://w:kR8sPq2x@db/w");
        let nodes = [postgres, ("WARDGATE_SERVER__NODES", "3")];
        assert!(warned(Mode::Dev, &nodes).starts_with("server.nodes"));
        let shared = [&nodes[..], &[("WARDGATE_REDIS__URL", "redis://cache")]].concat();
        assert_eq!(warned(Mode::Dev, &shared), "");
        let production = [
            ("WARDGATE_SERVER__ISSUER", "https://auth.example.com"),
            ("WARDGATE_SERVER__MASTER_KEY", "q83vEjRWeJCrze8SNFZ4kB0CAz7FpsfY6foLHC0+T2A="),
        ];
        assert!(warned(Mode::Production, &production).starts_with("server.trusted_proxies"));
        let proxied = [&production[..], &[("WARDGATE_SERVER__TRUSTED_PROXIES", "127.0.0.1")]].concat();
        assert_eq!(warned(Mode::Production, &proxied), "");
    }
}
