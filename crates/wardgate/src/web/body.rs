//! Reads a request's body: its size, its media type, its fields.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;

use super::fields::{Encoding, Fields, FromFields};
use crate::kernel::error::AuthError;

/// The longest body that is read, in bytes (S-145).
const MAX_BYTES: usize = 64 * 1024;

/// How long a client may take to send its body.
const TIME_TO_SEND: Duration = Duration::from_secs(15);

/// How much of a refused body is still received, in bytes: a client that is writing would otherwise see its
/// connection reset instead of the answer.
const MAX_DRAINED: usize = 4 * 1024 * 1024;

/// A request body of JSON.
pub(crate) struct Json<T>(pub(crate) T);

/// A request body of a form.
pub(crate) struct Form<T>(pub(crate) T);

/// A request body of JSON or of a form.
pub(crate) struct FormOrJson<T>(pub(crate) T);

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AuthError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        match media_type(&parts.headers) {
            Some(MediaType::Json) => Fields::read(Encoding::Json, &bytes).map(Self),
            _ => Err(AuthError::UnsupportedMediaType),
        }
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AuthError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        match media_type(&parts.headers) {
            Some(MediaType::Form) => Fields::read(Encoding::Form, &bytes).map(Self),
            _ => Err(AuthError::UnsupportedMediaType),
        }
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for FormOrJson<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AuthError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        match media_type(&parts.headers) {
            Some(MediaType::Json) => Fields::read(Encoding::Json, &bytes).map(Self),
            Some(MediaType::Form) => Fields::read(Encoding::Form, &bytes).map(Self),
            None if bytes.is_empty() => Fields::read(Encoding::Form, &bytes).map(Self),
            _ => Err(AuthError::UnsupportedMediaType),
        }
    }
}

/// A form as it was sent: a page shows again what was typed.
#[cfg(feature = "pages")]
pub(crate) async fn form(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, AuthError> {
    let bytes = read(body).await?;
    match media_type(headers) {
        Some(MediaType::Form) => Ok(bytes),
        None if bytes.is_empty() => Ok(bytes),
        _ => Err(AuthError::UnsupportedMediaType),
    }
}

#[derive(PartialEq, Eq)]
enum MediaType {
    Json,
    Form,
    Other,
}

fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let text = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    Some(if essence.eq_ignore_ascii_case("application/json") {
        MediaType::Json
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        MediaType::Form
    } else {
        MediaType::Other
    })
}

/// A body that drips would hold its memory and its connection for as long as its sender likes.
async fn read(body: Body) -> Result<Vec<u8>, AuthError> {
    let late = AuthError::MalformedBody("The body came too slowly");
    tokio::time::timeout(TIME_TO_SEND, receive(body)).await.unwrap_or(Err(late))
}

async fn receive(mut body: Body) -> Result<Vec<u8>, AuthError> {
    // Grows with what arrives, not with what is announced.
    let mut kept = Vec::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| AuthError::MalformedBody("The body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        received += data.len();
        if received > MAX_DRAINED {
            return Err(AuthError::BodyTooLarge);
        }
        if received <= MAX_BYTES {
            kept.extend_from_slice(data);
        }
    }
    if received > MAX_BYTES { Err(AuthError::BodyTooLarge) } else { Ok(kept) }
}
