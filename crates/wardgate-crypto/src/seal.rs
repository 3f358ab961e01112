//! Secrets kept in the database: AES-256-GCM under a key of their purpose.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::master_key::MasterKey;
use crate::rng::{self, Rng};

/// The form `version ‖ nonce ‖ ciphertext ‖ tag`.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + NONCE_LEN;
const TAG_BYTES: usize = 16;

/// The sealed bytes do not open: another key, purpose or context, or altered.
///
/// There is one answer for all causes, so that it tells an attacker nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct SealError;

impl MasterKey {
    /// Encrypts `plaintext` for `purpose`, bound to `context`.
    ///
    /// `context` is authenticated and not stored: pass what says where the value belongs (tenant, row id), so that
    /// a value copied into another row does not open there. The nonce is random; one purpose is good for 2^32 values
    /// (NIST SP 800-38D section 8.3).
    pub fn seal(&self, purpose: &str, context: &[u8], plaintext: &[u8], rng: &dyn Rng) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = rng::array(rng);
        // Reserved at once: growing would leave the plaintext in freed memory.
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plaintext.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .sealing_key(purpose)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                bound_to(context),
                &mut sealed[HEAD_BYTES..],
            )
            .expect("only gigabytes are too long");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts what [`MasterKey::seal`] made for the same `purpose` and `context`.
    ///
    /// # Errors
    /// [`SealError`] for everything else.
    pub fn open(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError)?;
        let (VERSION, nonce) =
            head.split_first().ok_or(SealError).map(|(version, nonce)| (*version, nonce))?
        else {
            return Err(SealError);
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut plaintext = Zeroizing::new(body.to_vec());
        let length = self
            .sealing_key(purpose)
            .open_in_place(nonce, bound_to(context), &mut plaintext)
            .map_err(|_| SealError)?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }

    fn sealing_key(&self, purpose: &str) -> LessSafeKey {
        let key = self.derive_in("seal", purpose);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("a sub-key has 32 bytes"))
    }
}

/// The version byte is authenticated too, so that a later form cannot be passed off as this one.
fn bound_to(context: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION], context].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    fn key(seed: u64) -> MasterKey {
        MasterKey::generate(&SeededRng::new(seed))
    }

    #[test]
    fn opens_what_it_sealed() {
        for plaintext in [b"".as_slice(), b"x", &[7; 5000]] {
            let sealed = key(1).seal("totp", b"row 1", plaintext, &SeededRng::new(9));
            assert_eq!(sealed.len(), plaintext.len() + 29);
            assert_eq!(key(1).open("totp", b"row 1", &sealed).unwrap().as_slice(), plaintext);
        }
    }

    #[test]
    fn two_seals_of_one_value_share_nothing() {
        let rng = SeededRng::new(9);
        let [first, second] = [0, 1].map(|_| key(1).seal("totp", b"row 1", b"secret", &rng));
        assert_ne!(first[1..13], second[1..13], "a nonce was used twice");
        assert_ne!(first[13..], second[13..]);
    }

    // S-139
    #[test]
    fn another_key_purpose_or_context_does_not_open_it() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        assert_eq!(key(2).open("totp", b"row 1", &sealed), Err(SealError));
        assert_eq!(key(1).open("signing", b"row 1", &sealed), Err(SealError));
        for context in [b"row 2".as_slice(), b"row 1 ", b"row ", b""] {
            assert_eq!(key(1).open("totp", context, &sealed), Err(SealError), "{context:?}");
        }
    }

    #[test]
    fn any_bit_flipped_cut_or_added_does_not_open() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        for position in 0..sealed.len() {
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[position] ^= 1 << bit;
                assert_eq!(key(1).open("totp", b"row 1", &altered), Err(SealError), "byte {position}");
            }
            assert_eq!(key(1).open("totp", b"row 1", &sealed[..position]), Err(SealError));
        }
        let longer = [sealed.as_slice(), &[0]].concat();
        assert_eq!(key(1).open("totp", b"row 1", &longer), Err(SealError));
    }

    #[test]
    fn the_version_is_authenticated() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        let mut body = sealed[HEAD_BYTES..].to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&sealed[1..HEAD_BYTES]).unwrap();
        let unbound = Aad::from(b"row 1");
        assert!(key(1).sealing_key("totp").open_in_place(nonce, unbound, &mut body).is_err());
    }
}
