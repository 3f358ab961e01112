//! Everything through the front door: HTTP requests against the real router and a real database. On SQLite in a
//! temporary file, and on PostgreSQL when `WARDGATE_TEST_POSTGRES` names a server.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "tests may fail loudly, and have no public face"
)]

mod account;
mod api_keys;
mod audit;
mod audit_chain;
mod audit_sinks;
mod bad_input;
mod browser;
mod endpoints;
mod escalation;
mod even;
#[cfg(feature = "federation")]
mod federation;
mod keys;
mod lifecycle;
mod limits;
mod mail;
mod master_key;
mod metrics;
mod organizations;
#[cfg(feature = "pages")]
mod pages;
mod races;
mod recovery;
mod refresh;
mod require;
mod roles;
mod sessions;
mod setup;
mod signin;
mod support;
mod tenants;
mod tokens;
mod transfer;
mod web;
#[cfg(feature = "webhook")]
mod webhook;
