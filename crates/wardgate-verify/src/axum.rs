//! An extractor for axum applications that take Wardgate's access tokens.
//!
//! ```
//! use axum::extract::FromRef;
//! use wardgate_verify::TokenVerifier;
//! use wardgate_verify::axum::{Refusal, VerifiedToken};
//!
//! #[derive(Clone, FromRef)]
//! struct AppState {
//!     verifier: TokenVerifier,
//! }
//!
//! /// Without a good token the answer is 401, and this function does not run.
//! async fn hello(token: VerifiedToken) -> String {
//!     format!("Hello, {}", token.sub)
//! }
//!
//! async fn wipe(token: VerifiedToken) -> Result<&'static str, Refusal> {
//!     token.require_role(&["admin", "superadmin"])?;
//!     Ok("wiped")
//! }
//! # let _: axum::Router<AppState> = axum::Router::new()
//! #     .route("/hello", axum::routing::get(hello)).route("/wipe", axum::routing::get(wipe));
//! ```

mod bearer;
mod refusal;
#[cfg(test)]
mod tests;
mod token;

pub use refusal::Refusal;
pub use token::VerifiedToken;
