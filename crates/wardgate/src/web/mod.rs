//! Row 3: HTTP, knowing the kernel only. Bodies in, problems out, and what wraps every request.

#[cfg(feature = "pages")]
pub(crate) mod asset;
pub(crate) mod body;
pub(crate) mod client_ip;
pub(crate) mod cookie;
pub(crate) mod cursor;
pub(crate) mod docs;
pub(crate) mod envelope;
pub(crate) mod fields;
pub(crate) mod inbox;
pub(crate) mod next;
pub(crate) mod openapi;
pub(crate) mod origin;
pub(crate) mod problem;
pub(crate) mod routes;
pub(crate) mod trace;
