//! The real binary, started on a folder, and what its clients do.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{self, Connection, json_request};
use crate::floor::{self, Floor};

const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    started: Instant,
}

pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

fn tokens(reply: &serde_json::Value) -> Tokens {
    let text = |name: &str| reply[name].as_str().expect("a token").to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

/// Starts a program and reads the address it prints.
fn start(command: &mut Command) -> (Child, SocketAddr) {
    let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("listening on http://")?.1.split_whitespace().next()?.parse().ok())
        .expect("it prints its address");
    // Whatever else it prints must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (process, address)
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardgate"));
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
        // The load comes from one source, and one user signs in over and over.
        command.env("WARDGATE_SESSION__MAX_PER_USER", "10000");
        command.env("WARDGATE_RATE_LIMIT__ENABLED", "false");
        let (process, address) = start(command.envs(environment.iter().copied()));
        Self { process, address, started }
    }

    pub(crate) async fn sign_up(&self, email: &str) -> Tokens {
        let mut connection = Connection::open(self.address).await;
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        connection.json(&json_request("/auth/register", &body)).await;
        tokens(&connection.json(&self.login_request()).await)
    }

    pub(crate) fn login_request(&self) -> Vec<u8> {
        json_request("/auth/login", &json!({ "email": "ada@example.com", "password": PASSWORD }).to_string())
    }

    pub(crate) async fn api_key(&self, access: &str) -> String {
        self.new_key(access).await["key"].as_str().expect("a key").to_owned()
    }

    /// One that is well formed and opens nothing.
    pub(crate) async fn revoked_key(&self, access: &str) -> String {
        let made = self.new_key(access).await;
        let id = made["id"].as_str().expect("an id");
        let path = format!("/auth/api-keys/{id}/rotate");
        let mut connection = Connection::open(self.address).await;
        connection.json(&client::post_as(&path, access, r#"{"overlap": 0}"#)).await;
        made["key"].as_str().expect("a key").to_owned()
    }

    async fn new_key(&self, access: &str) -> serde_json::Value {
        let mut connection = Connection::open(self.address).await;
        connection.json(&client::post_as("/auth/api-keys", access, r#"{"name": "bench"}"#)).await
    }

    /// Name and value of the cookie of a browser that is signed in.
    pub(crate) async fn cookie(&self) -> String {
        let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
        Connection::open(self.address).await.cookie(&json_request("/auth/session", &body)).await
    }

    /// Signs in `count` times; each is a family of its own.
    pub(crate) async fn families(&self, count: usize) -> Vec<String> {
        let mut connection = Connection::open(self.address).await;
        let mut families = Vec::new();
        for _ in 0..count {
            families.push(tokens(&connection.json(&self.login_request()).await).refresh);
        }
        families
    }

    /// Starts the floor with this server's keys and answer.
    pub(crate) async fn start_floor(&self, access: &str) -> Floor {
        let mut connection = Connection::open(self.address).await;
        let jwks = connection.json(&client::get("/.well-known/jwks.json", access)).await.to_string();
        let answer = connection.json(&client::get("/auth/me", access)).await.to_string();
        let issuer = format!("http://{}", self.address);
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let (process, address) = start(command.args(["floor-server", &issuer, &jwks, &answer]));
        Floor { address, request: floor::request(access), process }
    }

    /// Milliseconds from the start of the process to the first 200.
    pub(crate) fn first_answer_ms(&self) -> f64 {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(self.address).expect("it listens");
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(&answer, b"HTTP/1.1 200");
        self.started.elapsed().as_secs_f64() * 1000.0
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Refreshes of every family without pause for `period`; exchanges a second. Leaves each family at its newest token.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) async fn refresh_rate(address: SocketAddr, families: &mut Vec<String>, period: Duration) -> f64 {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for mut token in std::mem::take(families) {
        tasks.push(tokio::spawn(async move {
            let (mut connection, mut count) = (Connection::open(address).await, 0_u32);
            while started.elapsed() < period {
                let request = json_request("/auth/refresh", &json!({ "refresh_token": token }).to_string());
                token = tokens(&connection.json(&request).await).refresh;
                count += 1;
            }
            (token, count)
        }));
    }
    let mut total = 0;
    for task in tasks {
        let (token, count) = task.await.expect("a client ends");
        families.push(token);
        total += count;
    }
    f64::from(total) / started.elapsed().as_secs_f64()
}

pub(crate) fn binary_size_mb() -> f64 {
    std::fs::metadata(env!("CARGO_BIN_EXE_wardgate")).map_or(f64::NAN, |file| file.len() as f64 / 1_000_000.0)
}
