//! Checks Wardgate access tokens on a resource server.
//!
//! ```
//! use wardgate_verify::{JwkSet, KeySet, Policy, Verifier, VerifyError};
//!
//! # fn run(jwks: &str, token: &str, now_seconds: i64) -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeySet::from_jwks(&serde_json::from_str::<JwkSet>(jwks)?)?;
//! let policy = Policy::new("https://auth.example.com", "https://api.example.com");
//! let claims = Verifier::new(policy, keys).verify(token, now_seconds)?;
//! println!("{} may {:?}", claims.sub, claims.roles);
//! # Ok(())
//! # }
//! # assert!(run(r#"{"keys":[]}"#, "no.such.token", 0).is_err());
//! ```
//!
//! Everything here is pure: no clock, no network, no randomness. The caller passes the time and the keys.
//!
//! The reading order: [`Verifier`] is the one call a server needs; [`jws`] reads the compact form (RFC 7515),
//! [`VerifyingKey`] binds a key to its one algorithm, [`AccessClaims`] is what the issuer and the verifier agree
//! on, and [`Policy`] judges the claims.

mod algorithm;
mod claims;
mod error;
mod json;
mod jwk;
pub mod jws;
mod key;
mod keyset;
mod policy;
#[cfg(test)]
mod rfc_vectors;
#[cfg(test)]
mod testing;
mod verifier;
mod weak;
#[cfg(test)]
mod wycheproof_vectors;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{AccessClaims, Audience};
pub use error::{ClaimFault, KeyError, VerifyError};
pub use jwk::{Jwk, JwkSet};
pub use key::VerifyingKey;
pub use keyset::KeySet;
pub use policy::Policy;
pub use verifier::Verifier;
