//! Other providers through which people sign in.

use std::time::Duration;

use super::BoxFuture;
use crate::kernel::time::Timestamp;

/// Somebody as a provider knows them, once all that it said was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamIdentity {
    /// The provider: with `subject` what an account is known by.
    pub issuer: String,
    /// The user's id there, never given to another.
    pub subject: String,
    /// An address, whosever it is.
    pub email: Option<String>,
    /// Whether the provider has seen that the address is this user's.
    pub email_verified: bool,
    /// What the user is called.
    pub name: Option<String>,
    /// When they last proved to the provider who they are, where it tells: it may have answered out of a session that is
    /// days old. What is not told is not fresh.
    pub authenticated_at: Option<Timestamp>,
}

/// What a browser is sent to the provider with.
#[derive(Debug, Clone, Copy)]
pub struct Redirection<'a> {
    /// Where it is to come back to; each provider has an address of its own.
    pub redirect_uri: &'a str,
    /// Random, and known to this one sign-in.
    pub state: &'a str,
    /// To be found in the ID token.
    pub nonce: &'a str,
    /// The S256 challenge of the verifier (RFC 7636).
    pub code_challenge: &'a str,
    /// Where a fresh proof is wanted: how long ago it may have been at most. The provider is to ask the person anew
    /// (`prompt=login` and `max_age` of OpenID Connect Core section 3.1.2.1, or what comes nearest to it there), and to
    /// tell [when they proved it](UpstreamIdentity::authenticated_at).
    pub max_age: Option<Duration>,
}

/// What a browser came back with, and what it was sent with.
#[derive(Clone, Copy)]
pub struct Returned<'a> {
    /// As in the [`Redirection`].
    pub redirect_uri: &'a str,
    /// As in the [`Redirection`].
    pub nonce: &'a str,
    /// The verifier of the challenge.
    pub code_verifier: &'a str,
    /// What the provider gives tokens for.
    pub code: &'a str,
    /// Who the answer says it is from (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// Why a provider did not tell who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The answer says that it is from another provider (RFC 9207): somebody mixed two up.
    #[error("the answer is from another provider")]
    MixedUp,
    /// The provider cannot be asked, or what it says does not hold; the text is for the log and names no secret.
    #[error("{0}")]
    Failed(String),
}

/// A provider through which people sign in. It finds out who somebody is and makes nothing of it: which account that
/// is, and whether there is to be one, is decided elsewhere.
pub trait UpstreamProvider: Send + Sync {
    /// Whether it tells [when somebody proved who they are](UpstreamIdentity::authenticated_at) once it is asked for a
    /// fresh proof. Of one that does, an answer without it is refused then. Of one that cannot, that it was asked counts:
    /// so it may be `false` only where nobody comes back from [`Redirection::max_age`] without having done something there.
    fn tells_when(&self) -> bool {
        true
    }

    /// The address that the browser is sent to.
    fn redirect<'a>(&'a self, with: Redirection<'a>) -> BoxFuture<'a, Result<String, UpstreamError>>;

    /// Who the browser came back as. Everything in the answer has been verified.
    fn identify<'a>(
        &'a self,
        returned: Returned<'a>,
    ) -> BoxFuture<'a, Result<UpstreamIdentity, UpstreamError>>;
}
