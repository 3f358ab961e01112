//! Secrets kept in the database: AES-256-GCM under a key of their purpose.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::master_key::{MasterKey, MasterKeyId};
use crate::rng::{self, Rng};

/// The form `version ‖ id of the master key ‖ nonce ‖ ciphertext ‖ tag`.
const NAMED: u8 = 2;
const NAMED_HEAD: usize = 1 + MasterKeyId::BYTES;

/// The form from before master keys could be changed, which does not say which one: `version ‖ nonce ‖ ciphertext ‖ tag`.
/// It is made for databases that programs from before may share.
const UNNAMED: u8 = 1;
const UNNAMED_HEAD: usize = 1;

const TAG_BYTES: usize = 16;

/// Why sealed bytes do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key, purpose or context, or altered: one answer for all, so that it tells an attacker nothing.
    #[error("the sealed value does not open")]
    Closed,
    /// It is sealed under a master key that is not at hand.
    #[error("the sealed value needs the master key {0}, which was not given")]
    NeedsKey(MasterKeyId),
}

impl MasterKeyId {
    /// The master key that a sealed value names; `None` for one from before they did, and for what is none.
    pub fn named_in(sealed: &[u8]) -> Option<Self> {
        let (head, _) = sealed.split_at_checked(NAMED_HEAD)?;
        let (NAMED, id) = head.split_first().map(|(version, id)| (*version, id))? else { return None };
        id.try_into().ok().map(Self::from_bytes)
    }

    /// What everything begins with that is sealed under this key, and nothing else does.
    pub fn mark(self) -> [u8; NAMED_HEAD] {
        let mut mark = [NAMED; NAMED_HEAD];
        mark[1..].copy_from_slice(self.as_bytes());
        mark
    }
}

impl MasterKey {
    /// Encrypts `plaintext` for `purpose`, bound to `context`.
    ///
    /// `context` is authenticated and not stored: pass what says where the value belongs (tenant, row id), so that
    /// a value copied into another row does not open there. The nonce is random; one purpose is good for 2^32 values
    /// (NIST SP 800-38D section 8.3).
    pub fn seal(&self, purpose: &str, context: &[u8], plaintext: &[u8], rng: &dyn Rng) -> Vec<u8> {
        self.seal_behind(&self.id().mark(), purpose, context, plaintext, rng)
    }

    /// As [`seal`](Self::seal), without saying by which key.
    pub(crate) fn seal_unnamed(
        &self,
        purpose: &str,
        context: &[u8],
        plaintext: &[u8],
        rng: &dyn Rng,
    ) -> Vec<u8> {
        self.seal_behind(&[UNNAMED], purpose, context, plaintext, rng)
    }

    fn seal_behind(
        &self,
        head: &[u8],
        purpose: &str,
        context: &[u8],
        plaintext: &[u8],
        rng: &dyn Rng,
    ) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = rng::array(rng);
        // Reserved at once: growing would leave the plaintext in freed memory.
        let mut sealed = Vec::with_capacity(head.len() + NONCE_LEN + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(head);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .sealing_key(purpose)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                bound_to(head, context),
                &mut sealed[head.len() + NONCE_LEN..],
            )
            .expect("only gigabytes are too long");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts what [`MasterKey::seal`] made for the same `purpose` and `context`.
    ///
    /// # Errors
    /// [`SealError::NeedsKey`] for what names another key, [`SealError::Closed`] for everything else.
    pub fn open(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let head = match sealed.first() {
            Some(&NAMED) => NAMED_HEAD,
            Some(&UNNAMED) => UNNAMED_HEAD,
            _ => return Err(SealError::Closed),
        };
        if let Some(id) = MasterKeyId::named_in(sealed).filter(|id| *id != self.id()) {
            return Err(SealError::NeedsKey(id));
        }
        let (head, rest) = sealed.split_at_checked(head).ok_or(SealError::Closed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Closed)?;
        let mut plaintext = Zeroizing::new(body.to_vec());
        let length = self
            .sealing_key(purpose)
            .open_in_place(nonce, bound_to(head, context), &mut plaintext)
            .map_err(|_| SealError::Closed)?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }

    fn sealing_key(&self, purpose: &str) -> LessSafeKey {
        let key = self.derive_in("seal", purpose);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("a sub-key has 32 bytes"))
    }
}

/// The head is authenticated too, so that one form or key cannot be passed off as another.
fn bound_to(head: &[u8], context: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([head, context].concat())
}

#[cfg(test)]
pub(crate) mod testing {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// `secret`, sealed for `totp` and `row 1` under the key of seed 1 by the version before values named their key.
    pub(crate) fn unnamed() -> Vec<u8> {
        STANDARD.decode("AR3wy1X8Jz34LXRmy0NGDubqL9/XnUWYOXr/dpyMzNs3F+I=").unwrap()
    }
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
            assert_eq!(sealed.len(), plaintext.len() + 37);
            assert_eq!(key(1).open("totp", b"row 1", &sealed).unwrap().as_slice(), plaintext);
        }
    }

    #[test]
    fn two_seals_of_one_value_share_nothing() {
        let rng = SeededRng::new(9);
        let [first, second] = [0, 1].map(|_| key(1).seal("totp", b"row 1", b"secret", &rng));
        assert_eq!(first[..9], key(1).id().mark());
        assert_ne!(first[9..21], second[9..21], "a nonce was used twice");
        assert_ne!(first[21..], second[21..]);
    }

    // S-139
    #[test]
    fn another_key_purpose_or_context_does_not_open_it() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        assert_eq!(key(2).open("totp", b"row 1", &sealed), Err(SealError::NeedsKey(key(1).id())));
        let renamed = [&key(2).id().mark()[..], &sealed[9..]].concat();
        assert_eq!(key(2).open("totp", b"row 1", &renamed), Err(SealError::Closed));
        assert_eq!(key(1).open("signing", b"row 1", &sealed), Err(SealError::Closed));
        for context in [b"row 2".as_slice(), b"row 1 ", b"row ", b""] {
            assert_eq!(key(1).open("totp", context, &sealed), Err(SealError::Closed), "{context:?}");
        }
    }

    #[test]
    fn any_bit_flipped_cut_or_added_does_not_open() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        for position in 0..sealed.len() {
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[position] ^= 1 << bit;
                assert!(key(1).open("totp", b"row 1", &altered).is_err(), "byte {position}");
            }
            assert_eq!(key(1).open("totp", b"row 1", &sealed[..position]), Err(SealError::Closed));
        }
        let longer = [sealed.as_slice(), &[0]].concat();
        assert_eq!(key(1).open("totp", b"row 1", &longer), Err(SealError::Closed));
    }

    #[test]
    fn what_was_sealed_before_keys_had_names_opens() {
        let sealed = testing::unnamed();
        assert_eq!(MasterKeyId::named_in(&sealed), None);
        assert_eq!(key(1).open("totp", b"row 1", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key(2).open("totp", b"row 1", &sealed), Err(SealError::Closed));
        assert_eq!(key(1).open("totp", b"row 2", &sealed), Err(SealError::Closed));
    }

    #[test]
    fn the_form_is_authenticated() {
        let sealed = key(1).seal("totp", b"row 1", b"secret", &SeededRng::new(9));
        let body = &sealed[NAMED_HEAD..];
        let as_unnamed = [&[UNNAMED], body].concat();
        assert_eq!(key(1).open("totp", b"row 1", &as_unnamed), Err(SealError::Closed));
        let (nonce, body) = body.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let unbound = Aad::from(b"row 1");
        assert!(key(1).sealing_key("totp").open_in_place(nonce, unbound, &mut body.to_vec()).is_err());
    }
}
