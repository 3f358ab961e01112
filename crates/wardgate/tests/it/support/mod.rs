//! One line gives a live system: `let t = TestGate::new().await; let alice = t.user("alice").signed_in().await;`

mod gate;
mod personas;
mod request;
#[cfg(feature = "federation")]
pub mod upstream;

pub use gate::{ISSUER, PASSWORD, START, TestGate, urls};
pub use personas::Persona;
pub use request::{Reply, Request};
