//! The way out (S-073), and webhooks over it, against a real server on loopback.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wardgate::{AuditFilter, Outbound, OutboundError, Resolved, Resolver, TenantId, WebhookKey, WebhookSink};

use crate::support::TestGate;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What came in: the head in lower case, and the body.
type Received = (String, Vec<u8>);

/// A server that answers each request with the next of its answers, and with the last one from then on.
struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    async fn new(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = answers.iter().rev().map(|answer| answer.as_bytes().to_vec()).collect();
        let server = Self {
            address,
            received: Arc::default(),
            connections: Arc::default(),
            answers: Arc::new(Mutex::new(answers)),
        };
        let (received, connections, answers) =
            (server.received.clone(), server.connections.clone(), server.answers.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, received.clone(), answers.clone()));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    fn answer(&self, answer: &str) {
        *self.answers.lock().unwrap() = vec![answer.as_bytes().to_vec()];
    }
}

async fn serve(
    mut stream: TcpStream,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let mut bytes = Vec::new();
    let end = loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        bytes.extend_from_slice(&part[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length: usize = header(&head, "content-length").parse().unwrap();
    while bytes.len() < end + length {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..count]);
    }
    received.lock().unwrap().push((head, bytes[end..].to_vec()));
    let answer = {
        let mut answers = answers.lock().unwrap();
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    };
    if answer.is_empty() {
        // Never.
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(&answer).await;
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let line = head
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)));
    line.unwrap_or_else(|| panic!("no {name}: {head}")).1
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn to_loopback() -> Outbound {
    Outbound::new(["127.0.0.1".to_owned()]).unwrap()
}

async fn post(outbound: &Outbound, url: &str) -> Result<u16, OutboundError> {
    outbound.post(url, &[], b"{}".to_vec()).await.map(|answer| answer.status)
}

fn internal(host: &str) -> Result<u16, OutboundError> {
    Err(OutboundError::Internal(host.to_owned()))
}

/// Resolves every name to the next of its answers.
struct Names(Mutex<Vec<Vec<IpAddr>>>);

impl Names {
    fn new(answers: &[&[&str]]) -> Self {
        let answers = answers.iter().rev().map(|found| found.iter().map(|ip| ip.parse().unwrap()).collect());
        Self(Mutex::new(answers.collect()))
    }
}

impl Resolver for Names {
    fn resolve(&self, _: String) -> Resolved {
        let found = self.0.lock().unwrap().pop();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("asked once too often")) })
    }
}

#[tokio::test]
async fn nothing_inside_is_reached_by_whatever_name() {
    // S-073
    let server = Receiver::new(&[OK]).await;
    let port = server.address.port();
    let outbound = Outbound::new([]).unwrap();
    assert_eq!(post(&outbound, &format!("https://127.0.0.1:{port}/")).await, internal("127.0.0.1"));
    assert_eq!(post(&outbound, &format!("http://127.0.0.1:{port}/")).await, Err(OutboundError::Plain));
    // By the system's own resolver.
    assert_eq!(post(&outbound, &format!("https://localhost:{port}/")).await, internal("localhost"));
    for found in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &["10.1.2.3"],
        &["fd00:ec2::254"],
        &["::ffff:127.0.0.1"],
        &["1.1.1.1", "127.0.0.1"],
    ] {
        let outbound = Outbound::with_resolver([], Names::new(&[found])).unwrap();
        let refused = post(&outbound, &format!("https://hooks.example.com:{port}/")).await;
        assert_eq!(refused, internal("hooks.example.com"), "{found:?}");
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_that_address_is_connected_to() {
    // S-073: rebinding. That what is connected to was looked at stands beside the guard, at the foot of outbound.rs.
    let server = Receiver::new(&[OK]).await;
    let url = format!("http://hooks.example.com:{}/", server.address.port());
    let allowed = || ["hooks.example.com".to_owned()];
    let names = Names::new(&[&["127.0.0.1"], &["192.0.2.1"]]);
    let outbound = Outbound::with_resolver(allowed(), names).unwrap();
    assert_eq!(post(&outbound, &url).await, Ok(204));
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_bounded() {
    // S-073
    let target = Receiver::new(&[OK]).await;
    let away = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        target.url()
    );
    // Without a length, to the end of the connection.
    let long = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(1024 * 1024 + 1));
    let fits = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(1024 * 1024));
    let server = Receiver::new(&[&away, &fits, &long]).await;
    let outbound = to_loopback();
    assert_eq!(post(&outbound, &server.url()).await, Ok(307));
    assert_eq!(target.received().len(), 0);
    assert_eq!(post(&outbound, &server.url()).await, Ok(200));
    assert_eq!(post(&outbound, &server.url()).await, Err(OutboundError::TooLarge));
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    // S-073
    let server = Receiver::new(&[""]).await;
    let began = tokio::time::Instant::now();
    let late = post(&to_loopback(), &server.url()).await;
    assert_eq!(late, Err(OutboundError::Failed("no answer in time".to_owned())));
    assert!(began.elapsed() < Duration::from_secs(8));
}

async fn with_webhook(url: &str) -> TestGate {
    let sink = webhook(url);
    TestGate::with(|builder| builder.audit_sink(sink)).await
}

fn webhook(url: &str) -> Arc<WebhookSink> {
    Arc::new(WebhookSink::new(to_loopback(), url, WebhookKey::from_text(SECRET).unwrap()).unwrap())
}

async fn round(t: &TestGate) {
    t.gate.tend().await.unwrap();
    t.gate.feed_sinks().await.unwrap();
}

/// The ids of the records that a request had.
fn ids((_, body): &Received) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["type"], "audit.records");
    let records = body["data"]["records"].as_array().unwrap();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

async fn log(t: &TestGate) -> Vec<String> {
    let mut export = t.gate.audit().export(TenantId::DEFAULT, AuditFilter::default()).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = export.next_page().await.unwrap() {
        ids.extend(page.iter().map(|event| event.id.to_string()));
    }
    ids
}

#[tokio::test]
async fn a_webhook_is_signed_and_has_what_was_recorded() {
    let server = Receiver::new(&[OK]).await;
    let t = with_webhook(&server.url()).await;
    t.user("alice").signed_in().await;
    round(&t).await;
    let [received] = server.received().try_into().unwrap();
    assert_eq!(ids(&received), log(&t).await);
    let (head, body) = &received;
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(head, "content-type"), "application/json");
    let timestamp: i64 = header(head, "webhook-timestamp").parse().unwrap();
    assert_eq!(timestamp, t.now().as_millis() / 1000);
    let expected = WebhookKey::from_text(SECRET).unwrap().sign(header(head, "webhook-id"), timestamp, body);
    assert_eq!(header(head, "webhook-signature"), expected);
}

#[tokio::test]
async fn a_receiver_that_fails_gets_the_same_message_again_also_after_a_restart() {
    let server = Receiver::new(&[BROKEN]).await;
    let t = with_webhook(&server.url()).await;
    t.user("alice").signed_in().await;
    round(&t).await;
    round(&t).await;
    assert_eq!(server.received().len(), 1, "not at once again");
    // The node stops, and another starts in the pause.
    t.gate.close().await;
    let sink = webhook(&server.url());
    let again = t.beside(|builder| builder.audit_sink(sink)).await;
    round(&again).await;
    assert_eq!(server.received().len(), 1);
    t.advance(Duration::from_secs(1));
    round(&again).await;
    server.answer(OK);
    t.advance(Duration::from_secs(2));
    round(&again).await;
    let received = server.received();
    assert_eq!(received.len(), 3);
    let identity = |(head, body): &Received| (header(head, "webhook-id").to_owned(), body.clone());
    assert!(received.iter().all(|message| identity(message) == identity(&received[0])));
    let times: Vec<_> = received.iter().map(|(head, _)| header(head, "webhook-timestamp")).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    again.user("bob").registered().await;
    round(&again).await;
    let all = [ids(&server.received()[2]), ids(&server.received()[3])].concat();
    assert_eq!(all, log(&again).await);
}

#[tokio::test]
async fn a_long_log_goes_out_in_several_messages() {
    let server = Receiver::new(&[OK]).await;
    let t = TestGate::new().await;
    for number in 0..120 {
        t.user(&format!("u{number}")).registered().await;
    }
    let sink = webhook(&server.url());
    let sending = t.beside(|builder| builder.audit_sink(sink)).await;
    round(&sending).await;
    let received = server.received();
    assert_eq!(received.iter().map(|message| ids(message).len()).collect::<Vec<_>>()[0], 100);
    assert_eq!(received.iter().flat_map(ids).collect::<Vec<_>>(), log(&sending).await);
}

#[tokio::test]
async fn an_address_that_would_be_refused_is_refused_at_the_start() {
    let key = WebhookKey::from_text(SECRET).unwrap();
    for url in ["http://hooks.example.com/", "https://10.0.0.1/", "hooks.example.com"] {
        assert!(WebhookSink::new(to_loopback(), url, key.clone()).is_err(), "{url}");
    }
}
