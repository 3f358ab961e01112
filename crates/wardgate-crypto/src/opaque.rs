//! Random tokens that mean nothing by themselves: refresh tokens, API keys, links in mails.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::master_key::SubKey;
use crate::rng::{self, Rng};

const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
/// 36 bytes are exactly 48 characters, so no character carries unused bits and each token has one spelling.
const BODY_CHARS: usize = 48;

/// A secret of 256 random bits under a visible prefix.
///
/// Its text is `<prefix>_<48 characters>`: base64url of the secret and a checksum. The prefix lets leak scanners
/// find it; the checksum refuses garbage before it costs a query. Store its [`OpaqueToken::digest`], never the text.
#[derive(Clone)]
pub struct OpaqueToken {
    prefix: &'static str,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl OpaqueToken {
    /// Makes a new token.
    pub fn generate(prefix: &'static str, rng: &dyn Rng) -> Self {
        Self { prefix, secret: Zeroizing::new(rng::array(rng)) }
    }

    /// Reads a presented token; `None` unless prefix, length, alphabet and checksum are all right.
    ///
    /// A token that reads is well formed, not valid: only the store knows its digest.
    pub fn parse(prefix: &'static str, text: &str) -> Option<Self> {
        let body = text.strip_prefix(prefix)?.strip_prefix('_')?;
        if body.len() != BODY_CHARS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).ok()?);
        let (secret, checksum) = bytes.split_at_checked(SECRET_BYTES)?;
        let token = Self { prefix, secret: Zeroizing::new(secret.try_into().ok()?) };
        (checksum == token.checksum()).then_some(token)
    }

    /// The text to hand out, once.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES + CHECKSUM_BYTES]);
        bytes[..SECRET_BYTES].copy_from_slice(self.secret.as_slice());
        bytes[SECRET_BYTES..].copy_from_slice(&self.checksum());
        // Reserved at once: growing would leave parts of the secret in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(self.prefix.len() + 1 + BODY_CHARS));
        text.push_str(self.prefix);
        text.push('_');
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// What to store and look up: SHA-256 of prefix and secret, so that a token of one kind is none of another.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[self.prefix.as_bytes(), self.secret.as_slice()])
    }

    /// The token that replaces this one, the same for the same `key` and `nonce`.
    ///
    /// A client that lost the answer to its refresh gets the same successor again, and the store needs to keep the
    /// nonce only: without `key` it yields nothing, and without this token's secret neither do both.
    pub fn successor(&self, key: &SubKey, nonce: &[u8; 32]) -> Self {
        Self { prefix: self.prefix, secret: Zeroizing::new(key.hmac(&[nonce, self.secret.as_slice()])) }
    }

    fn checksum(&self) -> [u8; CHECKSUM_BYTES] {
        let [a, b, c, d, ..] = *self.digest().as_bytes();
        [a, b, c, d]
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpaqueToken({}_..)", self.prefix)
    }
}
