//! The smallest HTTP/1.1 client that measures: one kept-alive connection, one request at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) fn get(path: &str, access: &str) -> Vec<u8> {
    get_with(path, &format!("authorization: Bearer {access}"))
}

/// With this header.
pub(crate) fn get_with(path: &str, header: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\r\n").into_bytes()
}

/// As somebody who is signed in.
pub(crate) fn post_as(path: &str, access: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {access}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn json_request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends a request and returns status and body.
    pub(crate) async fn send(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let (head, length) = loop {
            if let Some(found) = head_and_length(&self.buffer) {
                break found;
            }
            self.fill().await;
        };
        while self.buffer.len() < head + length {
            self.fill().await;
        }
        let status = std::str::from_utf8(&self.buffer[9..12]).ok().and_then(|text| text.parse().ok());
        (status.expect("a status line"), &self.buffer[head..head + length])
    }

    async fn fill(&mut self) {
        let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
        assert!(read > 0, "the server closed the connection");
    }

    /// Sends a request that must be answered with `expected`; how long it took.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) async fn timed(&mut self, request: &[u8], expected: u16) -> Duration {
        let started = Instant::now();
        let (status, body) = self.send(request).await;
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(body));
        started.elapsed()
    }

    /// The value of the cookie that the answer sets.
    pub(crate) async fn cookie(&mut self, request: &[u8]) -> String {
        self.send(request).await;
        let text = String::from_utf8_lossy(&self.buffer);
        let set = text.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        set.split(';').next().unwrap_or_default().to_owned()
    }

    pub(crate) async fn json(&mut self, request: &[u8]) -> serde_json::Value {
        let (status, body) = self.send(request).await;
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(body));
        serde_json::from_slice(body).expect("JSON")
    }
}

fn head_and_length(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).expect("an ASCII head");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((head, length.unwrap_or(0)))
}
