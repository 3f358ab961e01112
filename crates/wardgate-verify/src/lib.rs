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
//! Without features everything here is pure: no clock, no network, no randomness. The caller passes the time and the
//! keys. Two features take that over:
//!
//! * `axum`: [`VerifiedToken`](axum::VerifiedToken), an argument of handlers that demands a good token;
//! * `fetch`: [`FetchedKeys`], the issuer's published keys, kept fresh.
//!
//! With either there is [`TokenVerifier`], a handle that has its own clock.
//!
//! [`id_token`] is for the other side: what an OpenID provider says of somebody who signs in through it.
//!
//! The reading order: [`Verifier`] is the one call a server needs; [`jws`] reads the compact form (RFC 7515),
//! [`VerifyingKey`] binds a key to its one algorithm, [`AccessClaims`] is what the issuer and the verifier agree
//! on, and [`Policy`] judges the claims.

mod algorithm;
#[cfg(feature = "axum")]
pub mod axum;
mod claims;
#[cfg(any(feature = "axum", feature = "fetch"))]
mod clock;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
pub mod id_token;
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
#[cfg(any(feature = "axum", feature = "fetch"))]
mod token_verifier;
mod verifier;
mod weak;
#[cfg(test)]
mod wycheproof_vectors;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{AccessClaims, Audience};
pub use error::{ClaimFault, KeyError, VerifyError};
#[cfg(feature = "fetch")]
pub use fetch::{FetchError, FetchedKeys};
pub use jwk::{Jwk, JwkSet};
pub use key::VerifyingKey;
pub use keyset::KeySet;
pub use policy::Policy;
#[cfg(any(feature = "axum", feature = "fetch"))]
pub use token_verifier::TokenVerifier;
pub use verifier::Verifier;
