//! The real binary: starting, refusing to start, stopping, commands beside it, and `kill -9` in the middle.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly, and have no public face"
)]

mod acme;
mod audit;
mod backup;
mod canary;
mod commands;
mod connections;
mod crash;
mod import;
mod limits;
mod machines;
mod mail;
mod metrics;
mod relocate;
mod stages;
mod start;
mod stop;
mod storm;
mod support;
mod tail;
mod tenants;
mod tls;
#[cfg(feature = "otlp")]
mod traces;
