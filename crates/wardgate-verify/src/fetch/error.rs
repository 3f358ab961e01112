//! Why the issuer's keys could not be had.

use crate::error::KeyError;

/// Why the issuer's keys could not be had. No text carries anything of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not `https`, and not `http` to a loopback address: whoever sits in between could send keys of their own.
    #[error("keys are fetched from https addresses, or over http from this machine only")]
    Address,
    /// No connection, no answer within 5 seconds, a certificate that does not hold, or an answer cut short.
    #[error("the request for the keys failed: {0}")]
    Request(String),
    /// Another status than 200; a redirect is one.
    #[error("the request for the keys was answered with {0}")]
    Status(u16),
    /// Over 1 MiB.
    #[error("the answer is too large to be a list of keys")]
    TooLarge,
    /// No JSON Web Key Set.
    #[error("the answer is no JSON Web Key Set")]
    Form,
    /// A key of the set is broken or weak, and that refuses the set.
    #[error("the issuer publishes a key that cannot be used: {0}")]
    Key(#[from] KeyError),
}
