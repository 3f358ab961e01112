//! SHA-256 of secrets that are random already.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a random token, fit to be stored.
///
/// A leaked database must not yield usable tokens. A fast hash suffices because its input has 256 random bits; never
/// use it for anything a person chose. Comparison takes constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// Digests the concatenation of `parts`; the caller sees to it that the cuts between them are unambiguous.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }

    /// The 32 bytes, as stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(stored: [u8; 32]) -> Self {
        Self(stored)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sha_256() {
        // FIPS 180-4, the one-block example.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = Digest::of(b"abc").as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
        assert_eq!(Digest::of_parts(&[b"a", b"", b"bc"]), Digest::of(b"abc"));
    }

    #[test]
    fn equality_looks_at_every_byte() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest, Digest::from(*digest.as_bytes()));
        for position in 0..32 {
            let mut other = *digest.as_bytes();
            other[position] ^= 1;
            assert_ne!(digest, Digest::from(other), "byte {position}");
        }
    }
}
