//! The text of an API key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::rng::{self, Rng};

const ID_CHARS: usize = 32;
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
/// 36 bytes are exactly 48 characters, so each key has one spelling.
const BODY_CHARS: usize = 48;

/// An API key: a public id, and 256 random bits.
///
/// Its text is `wgk_<32 hexadecimal digits>_<48 characters>`: the id, then base64url of the secret and a checksum over
/// all that stands before. The prefix and the form let secret scanners find it; the id says whose it is without giving
/// anything away; the checksum refuses garbage before it costs a query. Store its [`ApiKeyText::digest`], never the
/// text.
#[derive(Clone)]
pub struct ApiKeyText {
    id: [u8; ID_CHARS],
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl ApiKeyText {
    /// What every key begins with.
    pub const PREFIX: &str = "wgk_";

    /// Makes the secret of a new key with this id, 16 bytes.
    pub fn generate(id: &[u8; 16], rng: &dyn Rng) -> Self {
        let mut digits = [0; ID_CHARS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
            pair[0] = hex_digit(byte >> 4);
            pair[1] = hex_digit(byte & 15);
        }
        Self { id: digits, secret: Zeroizing::new(rng::array(rng)) }
    }

    /// Reads a presented key; `None` unless prefix, id, length, alphabet and checksum are all right.
    ///
    /// A key that reads is well formed, not valid: only the store knows its digest.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::PREFIX)?;
        let (id, body) = (rest.get(..ID_CHARS)?, rest.get(ID_CHARS..)?.strip_prefix('_')?);
        let id: [u8; ID_CHARS] = id.as_bytes().try_into().ok()?;
        if body.len() != BODY_CHARS || !id.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).ok()?);
        let (secret, checksum) = bytes.split_at_checked(SECRET_BYTES)?;
        let key = Self { id, secret: Zeroizing::new(secret.try_into().ok()?) };
        (checksum == key.checksum()).then_some(key)
    }

    /// The text to hand out, once.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES + CHECKSUM_BYTES]);
        bytes[..SECRET_BYTES].copy_from_slice(self.secret.as_slice());
        bytes[SECRET_BYTES..].copy_from_slice(&self.checksum());
        // Reserved at once: growing would leave parts of the secret in freed memory.
        let length = Self::PREFIX.len() + ID_CHARS + 1 + BODY_CHARS;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(Self::PREFIX);
        text.extend(self.id.iter().map(|digit| char::from(*digit)));
        text.push('_');
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// What to store and look up: SHA-256 of prefix, id and secret, so that a secret is good for its own id only.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[Self::PREFIX.as_bytes(), &self.id, self.secret.as_slice()])
    }

    fn checksum(&self) -> [u8; CHECKSUM_BYTES] {
        let [a, b, c, d, ..] = *self.digest().as_bytes();
        [a, b, c, d]
    }
}

fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble)]
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyText(wgk_..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    fn key(seed: u64) -> ApiKeyText {
        ApiKeyText::generate(&[0xa5; 16], &SeededRng::new(seed))
    }

    #[test]
    fn text_has_its_form_and_reads_back() {
        // S-060
        let (one, two) = (key(1), key(2));
        let text = one.reveal();
        assert_eq!((text.len(), &text[..38]), (85, &*format!("wgk_{}_{}", "a5".repeat(16), &text[37..38])));
        let read = ApiKeyText::parse(&text).unwrap();
        assert_eq!((read.digest(), read.reveal()), (one.digest(), text));
        assert_ne!(one.digest(), two.digest());
        assert_eq!(format!("{one:?}"), "ApiKeyText(wgk_..)");
    }

    #[test]
    fn any_character_cut_changed_or_added_is_refused() {
        // S-030, S-060
        let text = key(3).reveal();
        for position in 0..text.len() {
            let (before, after) = text.split_at(position);
            assert!(ApiKeyText::parse(before).is_none() && ApiKeyText::parse(&after[1..]).is_none());
            assert!(ApiKeyText::parse(&format!("{before}{}", &after[1..])).is_none());
            for other in ['0', '1', 'a', 'A', 'f', 'F', '_', '-', '=', ' ', '\0', 'é'] {
                assert!(ApiKeyText::parse(&format!("{before}{other}{after}")).is_none());
                let changed = format!("{before}{other}{}", &after[1..]);
                assert!(changed == *text || ApiKeyText::parse(&changed).is_none(), "{changed}");
            }
        }
        assert!(ApiKeyText::parse("").is_none());
    }
}
