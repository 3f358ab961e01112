//! The Wardgate server and its command line.

#[expect(dead_code, unused_imports, reason = "the command line that uses it comes with the wiring")]
mod config;

fn main() {}
