//! The one secret an operator keeps, and the keys derived from it.

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

use crate::rng::{self, Rng};

/// Fewer different bytes than this in 32 do not come from a random source: the chance is under one in 10^18.
const MIN_DIFFERENT_BYTES: usize = 16;

/// Words that people leave in example configurations.
const PLACEHOLDERS: [&str; 6] =
    ["changeme", "change-me", "change_me", "placeholder", "replace-me", "your-secret"];

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The 256-bit key under which everything secret in the database lies (S-139).
///
/// It never encrypts anything itself: each purpose has its own key, derived with HKDF-SHA-256 (RFC 5869).
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    id: MasterKeyId,
}

/// A name for a master key, derived from it, from which nothing about the key can be learnt. Whatever is sealed says
/// by it which key opens it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKeyId([u8; MasterKeyId::BYTES]);

/// Why a text is no master key. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Neither base64 nor 64 hexadecimal digits.
    #[error("the master key must be base64 or 64 hexadecimal digits")]
    Encoding,
    /// Not 32 bytes.
    #[error("the master key must be exactly 32 bytes")]
    Length,
    /// Something typed rather than drawn at random.
    #[error("the master key is a placeholder; draw a random one, for example with `openssl rand -base64 32`")]
    Placeholder,
}

impl MasterKey {
    /// Draws a new key.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self::of(Zeroizing::new(rng::array(rng)))
    }

    fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        let mut id = [0; MasterKeyId::BYTES];
        id.copy_from_slice(&derive_from(&bytes, "id", "").hmac(&[])[..MasterKeyId::BYTES]);
        Self { bytes, id: MasterKeyId(id) }
    }

    /// Reads a key from base64 (either alphabet, with or without padding) or 64 hexadecimal digits; white space
    /// around it is ignored, because files end with a newline.
    ///
    /// # Errors
    /// [`MasterKeyError::Placeholder`] for the words of example files, for bytes that are all printable, that count
    /// up evenly or that repeat: whoever can guess the key reads every secret in the database (S-140).
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let lowered = Zeroizing::new(text.to_ascii_lowercase());
        if PLACEHOLDERS.iter().any(|word| lowered.contains(word)) {
            return Err(MasterKeyError::Placeholder);
        }
        let bytes = decode(text)?;
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| MasterKeyError::Length)?;
        let key = Zeroizing::new(key);
        if looks_typed(&key) { Err(MasterKeyError::Placeholder) } else { Ok(Self::of(key)) }
    }

    /// The key in padded base64, for the file it is kept in.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.bytes.as_slice()))
    }

    /// The key for one purpose.
    ///
    /// Keys of different purposes tell nothing about each other, so a fault in one use cannot spread (S-143).
    pub fn derive(&self, purpose: &str) -> SubKey {
        self.derive_in("derive", purpose)
    }

    /// `domain` keeps keys that encrypt apart from keys that authenticate, should both use one purpose.
    pub(crate) fn derive_in(&self, domain: &str, purpose: &str) -> SubKey {
        derive_from(&self.bytes, domain, purpose)
    }

    /// What it is called.
    pub fn id(&self) -> MasterKeyId {
        self.id
    }
}

impl MasterKeyId {
    pub(crate) const BYTES: usize = 8;

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn derive_from(master: &[u8; 32], domain: &str, purpose: &str) -> SubKey {
    let info = [b"wardgate/1/".as_slice(), domain.as_bytes(), b"/", purpose.as_bytes()];
    SubKey(Zeroizing::new(hkdf_sha256(b"wardgate", master, &info)))
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
    // 64 characters of base64 would be 48 bytes, so the two forms cannot be confused.
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return decode_hex(text);
    }
    let standard = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
    ANY_PADDING.decode(standard.as_str()).map(Zeroizing::new).map_err(|_| MasterKeyError::Encoding)
}

fn decode_hex(text: &str) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for position in (0..text.len()).step_by(2) {
        let pair = text.get(position..position + 2).ok_or(MasterKeyError::Encoding)?;
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| MasterKeyError::Encoding)?);
    }
    Ok(bytes)
}

fn looks_typed(key: &[u8; 32]) -> bool {
    let printable = key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let step = key[1].wrapping_sub(key[0]);
    let even_steps = key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    let mut sorted = Zeroizing::new(*key);
    sorted.sort_unstable();
    let different = 1 + sorted.windows(2).filter(|pair| pair[0] != pair[1]).count();
    printable || even_steps || different < MIN_DIFFERENT_BYTES
}

/// HKDF with SHA-256 (RFC 5869), the first block of output.
fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, hkdf::HKDF_SHA256)
        .and_then(|output| output.fill(&mut key))
        .expect("one block is never too long, and the buffer has its length");
    key
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// A key for one purpose, derived from the master key.
#[derive(Clone)]
pub struct SubKey(Zeroizing<[u8; 32]>);

impl SubKey {
    /// HMAC-SHA-256 over `parts`, each preceded by its length as eight bytes, big-endian.
    ///
    /// The lengths make the cuts part of what is authenticated: `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{SeededRng, SystemRng};

    fn key(seed: u64) -> MasterKey {
        MasterKey::generate(&SeededRng::new(seed))
    }

    fn bytes(hex: &str) -> Vec<u8> {
        decode_hex(hex).unwrap().to_vec()
    }

    #[test]
    fn reads_base64_of_either_alphabet_and_hexadecimal() {
        for _ in 0..50 {
            let key = MasterKey::generate(&SystemRng);
            let base64 = key.to_base64();
            let url = base64.replace('+', "-").replace('/', "_");
            let hex: String = key.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let unpadded = base64.trim_end_matches('=');
            let forms =
                [base64.as_str(), unpadded, &url, url.trim_end_matches('='), &hex, &hex.to_uppercase()];
            for form in forms {
                let read = MasterKey::from_base64(&format!(" {form}\r\n")).unwrap();
                assert_eq!(*read.bytes, *key.bytes, "{form}");
            }
        }
    }

    // S-140
    #[test]
    fn what_is_no_key_is_refused() {
        let base64 = key(1).to_base64();
        let table = [
            ("", MasterKeyError::Length),
            ("AAECAw==", MasterKeyError::Length),
            (&format!("AAAA{}", *base64), MasterKeyError::Length),
            (&"ab".repeat(30), MasterKeyError::Length),
            ("not base64!", MasterKeyError::Encoding),
            (&base64.replacen(&base64[..1], "é", 1), MasterKeyError::Encoding),
            (&format!("{}\n{}", &base64[..20], &base64[20..]), MasterKeyError::Encoding),
        ];
        for (text, fault) in table {
            assert_eq!(MasterKey::from_base64(text).unwrap_err(), fault, "{text}");
        }
    }

    // S-140
    #[test]
    fn what_was_typed_or_left_in_an_example_is_refused() {
        let typed = STANDARD.encode("The quick brown fox jumps over 2");
        let few = STANDARD.encode(b"\x80\x91\xa2\xb3\xc4\xd5\xe6\xf7".repeat(4));
        let counting: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let descending: String = (0..32).map(|byte| format!("{:02x}", 255 - 3 * byte)).collect();
        for text in [
            "changeme",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME_123",
            "placeholder",
            &"00".repeat(32),
            &"ff".repeat(32),
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            &typed,
            &few,
            &counting,
            &descending,
        ] {
            assert_eq!(MasterKey::from_base64(text).unwrap_err(), MasterKeyError::Placeholder, "{text}");
        }
    }

    #[test]
    fn a_random_key_is_never_taken_for_a_placeholder() {
        for seed in 0..2000 {
            assert!(MasterKey::from_base64(&key(seed).to_base64()).is_ok(), "seed {seed}");
        }
    }

    // RFC 5869, appendix A.1 and A.2, the first 32 bytes of output.
    #[test]
    fn hkdf_gives_the_published_output() {
        let first =
            hkdf_sha256(&bytes("000102030405060708090a0b0c"), &[0x0b; 22], &[&bytes("f0f1f2f3f4f5f6f7f8f9")]);
        assert_eq!(first[..], bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
        let run = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        let second = hkdf_sha256(&run(0x60, 0xaf), &run(0x00, 0x4f), &[&run(0xb0, 0xff)]);
        assert_eq!(second[..], bytes("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"));
    }

    // S-143
    #[test]
    fn each_purpose_and_each_key_has_its_own_sub_key() {
        let mut derived = Vec::new();
        for (seed, purpose) in [(1, "a"), (1, "b"), (1, ""), (2, "a"), (1, "ab")] {
            derived.push(*key(seed).derive(purpose).as_bytes());
            derived.push(*key(seed).derive_in("seal", purpose).as_bytes());
        }
        assert_eq!(key(1).derive("a").as_bytes(), &derived[0]);
        derived.sort_unstable();
        derived.dedup();
        assert_eq!(derived.len(), 10);
    }

    #[test]
    fn hmac_authenticates_the_cuts_between_its_parts() {
        let key = key(1).derive("a");
        let tag = key.hmac(&[b"ab", b"c"]);
        assert_eq!(tag, key.hmac(&[b"ab", b"c"]));
        for parts in [&[b"a".as_slice(), b"bc"][..], &[b"abc"], &[b"ab", b"c", b""], &[b"ab", b"d"], &[]] {
            assert_ne!(tag, key.hmac(parts), "{parts:?}");
        }
    }

    #[test]
    fn the_id_is_stable_and_debug_shows_nothing_else() {
        assert_eq!((key(1).id() == key(1).id(), key(1).id() == key(2).id()), (true, false));
        let id = key(1).id().to_string();
        assert_eq!(id.len(), 16);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(format!("{:?}", key(1)), format!("MasterKey({id})"));
        assert_eq!(format!("{:?}", key(1).derive("a")), "SubKey(..)");
    }
}
