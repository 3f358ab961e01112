//! The crate from outside, on a real SQLite file and, if `WARDGATE_TEST_POSTGRES` names a server, on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod bodies;
mod constraints;
mod files;
mod lifecycle;
mod migrations;
mod postgres;
mod races;
mod schema;
mod support;
mod tenants;
mod tls;
mod verbs;
