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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::MasterKey;
    use crate::rng::{SeededRng, SystemRng};

    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    fn token(seed: u64) -> OpaqueToken {
        OpaqueToken::generate("wgr", &SeededRng::new(seed))
    }

    #[test]
    fn text_has_its_form_and_reads_back() {
        for _ in 0..100 {
            let token = OpaqueToken::generate("wgr", &SystemRng);
            let text = token.reveal();
            assert_eq!((&text[..4], text.len()), ("wgr_", 52));
            assert!(text[4..].bytes().all(|byte| ALPHABET.contains(&byte)));
            let read = OpaqueToken::parse("wgr", &text).unwrap();
            assert_eq!((read.digest(), read.reveal()), (token.digest(), text));
        }
    }

    // S-030
    #[test]
    fn any_character_cut_is_refused() {
        let text = token(1).reveal();
        for position in 0..text.len() {
            let cut = format!("{}{}", &text[..position], &text[position + 1..]);
            assert!(OpaqueToken::parse("wgr", &cut).is_none(), "{cut}");
            assert!(OpaqueToken::parse("wgr", &text[..position]).is_none());
            assert!(OpaqueToken::parse("wgr", &text[position + 1..]).is_none());
        }
    }

    // S-030
    #[test]
    fn any_character_changed_or_added_is_refused() {
        let text = token(2).reveal();
        let others = ALPHABET.iter().copied().chain(*b" =+/.\n\0%").map(char::from).chain(['é', '\u{1f600}']);
        for other in others {
            for position in 0..text.len() {
                let added = format!("{}{other}{}", &text[..position], &text[position..]);
                assert!(OpaqueToken::parse("wgr", &added).is_none(), "{added}");
                let changed = format!("{}{other}{}", &text[..position], &text[position + 1..]);
                assert!(changed == *text || OpaqueToken::parse("wgr", &changed).is_none(), "{changed}");
            }
            assert!(OpaqueToken::parse("wgr", &format!("{}{other}", *text)).is_none());
        }
    }

    #[test]
    fn a_token_of_one_kind_is_none_of_another() {
        let text = token(3).reveal();
        for prefix in ["wgk", "", "wg", "wgr_", "WGR"] {
            assert!(OpaqueToken::parse(prefix, &text).is_none(), "{prefix}");
        }
        let renamed = text.replacen("wgr", "wgk", 1);
        assert!(OpaqueToken::parse("wgk", &renamed).is_none(), "the checksum covers the prefix");
        let other_kind = OpaqueToken::generate("wgk", &SeededRng::new(3));
        assert_ne!(other_kind.digest(), token(3).digest(), "so does the digest");
    }

    #[test]
    fn the_digest_is_of_prefix_and_secret() {
        let secret: [u8; 32] = rng::array(&SeededRng::new(4));
        assert_eq!(token(4).digest(), Digest::of(&[b"wgr".as_slice(), &secret].concat()));
    }

    // S-044
    #[test]
    fn the_successor_repeats_and_depends_on_key_nonce_and_token() {
        let key = MasterKey::generate(&SeededRng::new(5)).derive("refresh");
        let other_key = MasterKey::generate(&SeededRng::new(5)).derive("other");
        let successor = token(6).successor(&key, &[1; 32]);
        let text = successor.reveal();
        assert_eq!(text, token(6).successor(&key, &[1; 32]).reveal());
        assert!(OpaqueToken::parse("wgr", &text).is_some());
        for other in [
            token(6).reveal(),
            token(6).successor(&key, &[2; 32]).reveal(),
            token(6).successor(&other_key, &[1; 32]).reveal(),
            token(7).successor(&key, &[1; 32]).reveal(),
            successor.successor(&key, &[1; 32]).reveal(),
        ] {
            assert_ne!(text, other);
        }
    }

    #[test]
    fn debug_shows_the_prefix_only() {
        assert_eq!(format!("{:?}", token(8)), "OpaqueToken(wgr_..)");
    }
}
