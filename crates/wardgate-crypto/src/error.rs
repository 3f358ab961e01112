//! Why a key or a signature could not be had.

use wardgate_verify::KeyError;

/// Why a signing key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The bytes are no private key of that algorithm.
    #[error("the bytes are no private key of that algorithm")]
    Invalid,
    /// An HS256 key is shared with someone: it is given with its id, not drawn or read without one.
    #[error("an HS256 key must be given together with its id")]
    NeedsId,
    /// The library could not make a key.
    #[error("no key could be generated")]
    Generation,
    /// The key would not be accepted by a verifier.
    #[error(transparent)]
    Refused(#[from] KeyError),
}

/// Why a token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The claims do not serialise to JSON.
    #[error("the claims cannot be written as JSON")]
    Claims,
    /// The library refused.
    #[error("the signature could not be made")]
    Signature,
}
