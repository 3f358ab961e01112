//! A request against the router, and what came back.

use std::io::Read as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

#[must_use]
pub struct Request {
    app: Router,
    builder: http::request::Builder,
    body: Body,
}

impl Request {
    pub fn new(app: &Router, method: &str, path: &str) -> Self {
        Self::bare(app, method, path).header("host", "auth.example.com")
    }

    /// Without a Host header.
    pub fn bare(app: &Router, method: &str, path: &str) -> Self {
        let builder = http::Request::builder().method(method).uri(path);
        Self { app: app.clone(), builder, body: Body::empty() }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.builder = self.builder.header(name, value.as_ref());
        self
    }

    /// As it comes from this address.
    pub fn from(mut self, address: &str) -> Self {
        let peer = SocketAddr::new(address.parse().unwrap(), 40_000);
        self.builder = self.builder.extension(ConnectInfo(peer));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    pub fn form(self, form: &str) -> Self {
        self.body("application/x-www-form-urlencoded", form.to_owned())
    }

    pub async fn send(self) -> Reply {
        let request = self.builder.body(self.body).unwrap();
        let response = self.app.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let gzip = parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        let text = if gzip { unzipped(&bytes) } else { String::from_utf8(bytes.to_vec()).unwrap() };
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }
}

fn unzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body as JSON, null if it is none.
    pub body: Value,
    pub text: String,
}

impl Reply {
    /// Panics with the whole reply unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// Panics unless the reply is the problem `code` with this status.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.body["code"], code, "{reply:#?}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        reply
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn str(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field:?} in {self:#?}")).to_owned()
    }
}
