//! Files inside the binary that browsers may keep: the name changes with what is in them.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use wardgate_crypto::Digest;

/// A file of this name never changes.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file inside the binary.
pub(crate) struct Asset {
    /// Such as `style-0123456789abcdef.css`.
    pub(crate) name: String,
    media_type: &'static str,
    text: &'static str,
}

impl Asset {
    /// A file that is called `stem` and `extension` with a digest of `text` between them.
    pub(crate) fn new(stem: &str, extension: &str, media_type: &'static str, text: &'static str) -> Self {
        let mut name = format!("{stem}-");
        for byte in &Digest::of(text.as_bytes()).as_bytes()[..8] {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        let _ = write!(name, ".{extension}");
        Self { name, media_type, text }
    }

    /// The file as an answer.
    pub(crate) fn answer(&self) -> Response {
        forever(self.media_type, self.text)
    }
}

/// An answer that is the same for ever.
pub(crate) fn forever(media_type: &'static str, text: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CACHE_CONTROL, FOREVER)], text).into_response()
}
