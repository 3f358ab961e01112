//! The rules of ARCHITECTURE.md that the compiler does not hold: who may import whom, SQL that both engines take,
//! one schema on both, changed while others work, crates that may not be depended on, and pages that are made from code.

#![expect(clippy::unwrap_used, reason = "this whole program is a test")]

mod dependencies;
mod docs_current;
mod layering;
mod layers;
mod migrations;
mod pages;
mod schema;
mod source;
mod sql;
mod tokens;
