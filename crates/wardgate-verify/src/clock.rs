//! The one place of this crate that reads the system's clocks, for the features that may.

/// Seconds since 1970. A clock set before that counts as 1970, when no token was valid yet.
#[expect(
    clippy::disallowed_methods,
    reason = "a resource server has no Clock port; tests pass their own clock"
)]
pub(crate) fn system_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A clock that no administrator can set back, for the age of what was fetched. It starts at zero.
#[cfg(feature = "fetch")]
#[expect(clippy::disallowed_methods, reason = "as above")]
pub(crate) fn monotonic() -> impl Fn() -> std::time::Duration + Send + Sync + 'static {
    let start = std::time::Instant::now();
    move || start.elapsed()
}
