//! Traces and log lines, as a collector receives them.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

use crate::support::{PASSWORD, Server, agent, read_text};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Of a trace that begins at somebody else's, and is taken there.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// One request with spans, or one with lines.
struct Batch {
    head: String,
    body: Vec<u8>,
    spans: Vec<Span>,
    lines: Vec<LogRecord>,
}

/// The least that is a collector: it takes whatever comes.
struct Collector {
    address: SocketAddr,
    batches: Receiver<Batch>,
}

impl Collector {
    fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), 0)
    }

    /// One that answers the first requests with 503.
    fn at(address: SocketAddr, refused: usize) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, batches) = channel();
        let refused = Arc::new(AtomicUsize::new(refused));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, refused) = (sender.clone(), Arc::clone(&refused));
                std::thread::spawn(move || take(&stream.unwrap(), &sender, &refused));
            }
        });
        Self { address, batches }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What comes until there is a span of each of these names.
    fn up_to(&self, names: &[&str]) -> Vec<Batch> {
        self.until(|batches| names.iter().all(|name| spans(batches).iter().any(|span| span.name == *name)))
    }

    fn until(&self, is_enough: impl Fn(&[Batch]) -> bool) -> Vec<Batch> {
        let mut batches = Vec::new();
        while !is_enough(&batches) {
            batches.push(self.batches.recv_timeout(Duration::from_secs(30)).expect("spans come"));
        }
        batches
    }

    /// What came, once the server has ended: it has sent what it had.
    fn rest(&self, server: &mut Server) -> Vec<Batch> {
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        self.batches.try_iter().collect()
    }
}

fn take(stream: &TcpStream, batches: &Sender<Batch>, refused: &AtomicUsize) {
    let mut from = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        from.read_exact(&mut body).unwrap();
        let (mut spans, mut lines) = (Vec::new(), Vec::new());
        if head.starts_with("post /v1/logs ") {
            let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
            lines.extend(scopes.flat_map(|scope| scope.log_records));
        } else {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
        batches.send(Batch { head, body, spans, lines }).unwrap();
        let fewer = refused.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let status = if fewer.is_ok() { "503 Service Unavailable" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        (&mut &*stream).write_all(answer.as_bytes()).unwrap();
    }
}

fn spans(batches: &[Batch]) -> Vec<&Span> {
    batches.iter().flat_map(|batch| &batch.spans).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => number.to_string(),
        other => panic!("{name} is {other:?}"),
    })
}

fn says(line: &LogRecord, text: &str) -> bool {
    let body = line.body.as_ref().and_then(|body| body.value.as_ref());
    matches!(body, Some(Any::StringValue(body)) if body.contains(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'s>(all: &[&'s Span], name: &str) -> &'s Span {
    all.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_sign_in_is_one_trace_whatever_the_log_shows() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let endpoint = collector.url();
    let mut server = Server::start_with(
        folder.path(),
        &[
            ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", &endpoint),
            ("WARDGATE_TELEMETRY__OTLP_HEADERS", "Authorization: Bearer canary-of-the-collector"),
            ("WARDGATE_TELEMETRY__LOG", "error"),
        ],
    );
    server.register("ada@example.com");
    let mut answer = agent()
        .post(format!("{}/auth/login", server.base))
        .send_json(json!({ "email": "ada@example.com", "password": PASSWORD }))
        .unwrap();
    assert!(answer.body_mut().read_to_string().unwrap().contains("access_token"));
    let batches = collector.up_to(&["POST /auth/login"]);
    for batch in &batches {
        assert!(batch.head.starts_with("post /v1/traces http/1.1\r\n"), "{}", batch.head);
        assert!(
            batch.head.contains("\r\nauthorization: bearer canary-of-the-collector\r\n"),
            "{}",
            batch.head
        );
        assert!(batch.head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{}", batch.head);
    }
    let all = spans(&batches);
    let login = named(&all, "POST /auth/login");
    assert_eq!(login.kind, SERVER);
    assert!(login.parent_span_id.is_empty());
    let said = |name| attribute(login, name).unwrap();
    assert_eq!(said("http.request.method"), "POST");
    assert_eq!(said("http.route"), "/auth/login");
    assert_eq!(said("http.response.status_code"), "200");
    assert_eq!(said("wardgate.request_id"), answer.headers()["x-request-id"].to_str().unwrap());
    assert!(said("wardgate.tenant").starts_with("ten_"), "{}", said("wardgate.tenant"));
    let of_login: Vec<_> = all.iter().filter(|span| span.trace_id == login.trace_id).collect();
    let known: HashSet<_> = of_login.iter().map(|span| &span.span_id).collect();
    for name in ["hash password", "database write", "database lookup"] {
        let span = of_login.iter().find(|span| span.name == name);
        let span = span.unwrap_or_else(|| panic!("no {name} in the trace"));
        assert_eq!(span.parent_span_id, login.span_id, "{name}");
    }
    assert!(
        of_login.iter().all(|span| span.parent_span_id.is_empty() || known.contains(&span.parent_span_id))
    );
    assert_ne!(named(&all, "POST /auth/register").trace_id, login.trace_id);
    let more = collector.rest(&mut server);
    // Neither what is done each second nor the exporter's own requests are traces.
    for span in [all, spans(&more)].concat().iter().filter(|span| span.parent_span_id.is_empty()) {
        assert_eq!(span.kind, SERVER, "{}", span.name);
    }
}

#[test]
fn what_was_given_or_asked_for_is_in_no_trace() {
    // S-131, S-156
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (endpoint, mails) = (collector.url(), crate::mail::MailServer::start());
    let smtp = format!("smtp://{}", mails.address);
    let mut server = Server::start_with(
        folder.path(),
        &[
            ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", &endpoint),
            ("WARDGATE_TELEMETRY__OTLP_HEADERS", "authorization: Bearer canary-of-the-collector"),
            ("WARDGATE_TELEMETRY__LOG", "trace"),
            ("WARDGATE_MAIL__SMTP", &smtp),
            ("WARDGATE_MAIL__TLS", "none"),
            ("WARDGATE_MAIL__FROM", "no-reply@example.com"),
            // Where nobody listens.
            ("WARDGATE_AUDIT__WEBHOOK_URL", "http://127.0.0.1:9/canary-of-an-address"),
            ("WARDGATE_AUDIT__WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ],
    );
    server.register("ada@example.com");
    let (access, refresh) = server.log_in("ada@example.com");
    assert_eq!(server.post("/auth/refresh", &json!({ "refresh_token": "canary-refresh" })).0, 401);
    assert_eq!(
        server.post("/auth/login", &json!({ "email": "canary@b.example", "password": "canary" })).0,
        401
    );
    assert_eq!(server.post("/auth/password/forgot", &json!({ "email": "ada@example.com" })).0, 202);
    assert_eq!(server.get("/canary-of-a-path", &access).0, 404);
    assert_eq!(server.get("/t/canary-of-a-slug/auth/me", &access).0, 404);
    let me =
        agent().get(format!("{}/auth/me?canary=query", server.base)).header("user-agent", "canary-agent");
    let me = me.header("authorization", format!("Bearer {access}")).header("x-forwarded-for", "192.0.2.77");
    let me = me.header("traceparent", traceparent()).header("tracestate", "canary=state");
    assert_eq!(me.call().unwrap().status(), 200);
    let mut odd = server.connect();
    odd.write_all(b"CANARY /auth/me HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_text(&mut odd, 12), "HTTP/1.1 405");
    drop(odd);
    let mut batches = collector.up_to(&["send mail", "POST"]);
    batches.extend(collector.rest(&mut server));
    let all = spans(&batches);
    assert_eq!(attribute(named(&all, "GET /t/{slug}/{*path}"), "http.response.status_code").unwrap(), "404");
    assert!(all.iter().any(|span| span.kind == CLIENT && span.name == "POST"), "the webhook's call");
    assert_eq!(attribute(named(&all, "GET"), "http.response.status_code").unwrap(), "404");
    assert_eq!(named(&all, "_OTHER /auth/me").kind, SERVER);
    for batch in &batches {
        let text = String::from_utf8_lossy(&batch.body);
        let secrets = [
            &access,
            &refresh,
            "canary",
            "CANARY",
            "ada",
            PASSWORD,
            "127.0.0.1",
            "192.0.2.77",
            "example.com",
            TRACE,
        ];
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(batch.spans.iter().all(|span| span.events.is_empty() && hex(&span.trace_id) != TRACE));
    }
    let log: Vec<_> = server.log.iter().collect();
    assert!(log.iter().any(|line| line.contains("could not be delivered")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("canary-of-the-collector")), "{log:#?}");
}

#[test]
fn a_line_that_is_sent_says_which_trace_it_belongs_to() {
    // S-131, S-156
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let endpoint = collector.url();
    let mut server = Server::start_with(
        folder.path(),
        &[
            ("WARDGATE_TELEMETRY__OTLP_ENDPOINT", &endpoint),
            ("WARDGATE_TELEMETRY__OTLP_LOGS", "true"),
            ("WARDGATE_TELEMETRY__LOG", "trace"),
        ],
    );
    // Its mail is shown in the log, and is in no line that is sent.
    server.register("ada@example.com");
    server.wait_for_log("a mail:");
    let database = rusqlite::Connection::open(folder.path().join("wardgate.db")).unwrap();
    database.execute("ALTER TABLE sessions RENAME TO mislaid", ()).unwrap();
    let person = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(server.post("/auth/login", &person).0, 500);
    let mut batches = collector.until(|batches| {
        let mut lines = batches.iter().flat_map(|batch| &batch.lines);
        let has_span = spans(batches).iter().any(|span| span.name == "POST /auth/login");
        has_span && lines.any(|line| says(line, "a request failed"))
    });
    let all = spans(&batches);
    let login = named(&all, "POST /auth/login");
    assert_eq!(login.status.as_ref().unwrap().code, 2, "an error");
    let mut lines = batches.iter().flat_map(|batch| &batch.lines);
    let failed = lines.find(|line| says(line, "a request failed")).unwrap();
    assert_eq!((&failed.trace_id, &failed.span_id), (&login.trace_id, &login.span_id));
    database.execute("ALTER TABLE mislaid RENAME TO sessions", ()).unwrap();
    batches.extend(collector.rest(&mut server));
    let lines: Vec<_> = batches.iter().flat_map(|batch| &batch.lines).collect();
    assert!(lines.iter().any(|line| says(line, "stopping")), "the last line of all");
    for batch in &batches {
        let text = String::from_utf8_lossy(&batch.body);
        for secret in ["ada", PASSWORD, "#token=", "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// The spans of one `GET /healthz` with these headers, while the configuration leaves traces that begin here out.
fn of_a_request(environment: &[(&str, &str)], traceparents: &[&str]) -> Vec<Span> {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let endpoint = collector.url();
    let of_traces =
        [("WARDGATE_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()), ("WARDGATE_TELEMETRY__SAMPLE_RATIO", "0")];
    let mut server = Server::start_with(folder.path(), &[&of_traces, environment].concat());
    let mut request = agent().get(format!("{}/healthz", server.base));
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    assert_eq!(request.call().unwrap().status(), 200);
    collector.rest(&mut server).into_iter().flat_map(|batch| batch.spans).collect()
}

#[test]
fn only_a_trusted_proxy_says_which_trace_a_request_belongs_to() {
    let trust = ("WARDGATE_TELEMETRY__TRUST_TRACEPARENT", "true");
    let proxy = ("WARDGATE_SERVER__TRUSTED_PROXIES", "127.0.0.1");
    let given = traceparent();
    let spans = of_a_request(&[trust, proxy], &[&given]);
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(span.name, "GET /healthz");
    // Who is not asked for is not heard, nor is a stranger, a proxy that says nothing that is a trace, or two at once.
    let elsewhere = ("WARDGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    assert!(of_a_request(&[proxy], &[&given]).is_empty());
    assert!(of_a_request(&[trust, elsewhere], &[&given]).is_empty());
    assert!(of_a_request(&[trust, proxy], &["00-nothing-01"]).is_empty());
    assert!(of_a_request(&[trust, proxy], &[&given, &given]).is_empty());
}

#[test]
fn a_collector_that_is_away_is_told_of_once_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{address}");
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_TELEMETRY__OTLP_ENDPOINT", &endpoint)]);
    server.register("ada@example.com");
    server.wait_for_log("does not take traces");
    let (access, _) = server.log_in("ada@example.com");
    let collector = Collector::at(address, 2);
    for _ in 0..3 {
        assert_eq!(server.get("/auth/me", &access).0, 200);
        collector.up_to(&["GET /auth/me"]);
    }
    let back: Vec<_> = server.log.iter().take_while(|line| !line.contains("takes traces again")).collect();
    assert!(!back.iter().any(|line| line.contains("does not take")), "{back:#?}");
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_collector_that_never_answers_holds_no_stop_up() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut server = Server::start_with(folder.path(), &[("WARDGATE_TELEMETRY__OTLP_ENDPOINT", &endpoint)]);
    server.register("ada@example.com");
    // The batch is on its way, and nobody reads it.
    let _asked = silent.accept().unwrap();
    server.log_in("ada@example.com");
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    // It was gone before it lost patience with the collector, five seconds after it asked.
    let log: Vec<_> = server.log.iter().collect();
    assert!(!log.iter().any(|line| line.contains("does not take traces")), "{log:#?}");
}
