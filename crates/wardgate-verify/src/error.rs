//! Why a token or a key was refused.

/// Why a token was refused.
///
/// Every case is a 401 on the wire; the difference is for logs and tests. No text carries any part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Longer than [`crate::jws::MAX_TOKEN_BYTES`]; nothing was decoded.
    #[error("the token is too long")]
    TooLong,
    /// Not three segments of strict base64url (RFC 7515 section 7.1).
    #[error("the token is not in compact form")]
    Malformed,
    /// The header is no JSON object, has a member twice, or has one that must not be there.
    #[error("the token's header is not acceptable")]
    Header,
    /// `alg` is absent, unknown, or not the one bound to the key.
    #[error("the token's algorithm is not the one of its key")]
    Algorithm,
    /// `typ` is not `at+jwt` (RFC 9068 section 2.1).
    #[error("the token is not an access token")]
    Type,
    /// No `kid`, an overlong one, or one this verifier does not hold.
    #[error("the token names no known key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature does not verify")]
    Signature,
    /// The claims could not be read.
    #[error("the token's claims are not acceptable: {0}")]
    Claims(ClaimFault),
    /// `iss` is another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` does not name this resource server.
    #[error("the token is for another audience")]
    Audience,
    /// `azp` is another client, or missing where `aud` names several (OpenID Connect Core section 3.1.3.7).
    #[error("the token is for another client")]
    AuthorizedParty,
    /// `nonce` is not the one that was sent.
    #[error("the token answers another request")]
    Nonce,
    /// `at_hash` is not that of the access token beside it.
    #[error("the token belongs to another access token")]
    AccessTokenHash,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf`, `iat` or `auth_time` lies in the future.
    #[error("the token is not valid yet")]
    NotYet,
}

/// Why a token's claims could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimFault {
    /// The payload is not one JSON object in UTF-8.
    #[error("not a JSON object")]
    NotJson,
    /// The payload is nested deeper than any claim of ours.
    #[error("nested too deeply")]
    TooDeep,
    /// A claim is absent, appears twice, or has the wrong type.
    #[error("a claim is missing, appears twice or has the wrong type")]
    Shape,
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// `kty`, `crv` or `alg` is none that this crate verifies with.
    #[error("the key is of a kind that is not supported")]
    Unsupported,
    /// `use` is not `sig`, or `key_ops` lacks `verify` (RFC 7517 sections 4.2 and 4.3).
    #[error("the key is not meant for verifying signatures")]
    NotForVerifying,
    /// `alg` names an algorithm of another kind of key.
    #[error("the key's alg does not fit the key")]
    AlgorithmMismatch,
    /// `kid` is absent, empty or over 128 bytes.
    #[error("the key has no usable kid")]
    KeyId,
    /// Two keys share a `kid`, so a token could not say which one it means.
    #[error("two keys have the same kid")]
    DuplicateKeyId,
    /// A member is absent, not strict base64url, of the wrong length, or no point of the curve.
    #[error("the key's parameters are invalid")]
    Invalid,
    /// Too short, a weak exponent or modulus, or a point of small order.
    #[error("the key is too weak")]
    Weak,
}
