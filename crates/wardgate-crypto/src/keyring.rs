//! The master keys of one process: one seals, all open.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use zeroize::Zeroizing;

use crate::master_key::{MasterKey, MasterKeyId, SubKey};
use crate::rng::Rng;
use crate::seal::SealError;

/// The place of a key that is not here.
const NONE: usize = usize::MAX;

/// The master key that was given, and others that things may still be sealed under.
///
/// Which of them seals is no matter of who was started with what: nodes that share a database must all be able to open
/// what any of them seals. So they seal with the key that the database is under ([`seal_with`](Self::seal_with)), and
/// all take up another one once it is.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<MasterKey>,
    sealing: AtomicUsize,
    unnamed: AtomicBool,
}

impl Keyring {
    /// `given` is the first, and seals until something else is said.
    pub fn new(given: MasterKey, previous: Vec<MasterKey>) -> Self {
        Self {
            keys: std::iter::once(given).chain(previous).collect(),
            sealing: AtomicUsize::new(0),
            unnamed: AtomicBool::new(false),
        }
    }

    /// The master key that was given.
    pub fn given(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// What its keys are called, the given one first.
    pub fn ids(&self) -> Vec<MasterKeyId> {
        self.keys.iter().map(MasterKey::id).collect()
    }

    /// The key that seals.
    ///
    /// # Errors
    /// [`SealError::Closed`] after [`seal_with`](Self::seal_with) named one that is not here.
    pub fn sealing(&self) -> Result<&MasterKey, SealError> {
        self.keys.get(self.sealing.load(Ordering::Relaxed)).ok_or(SealError::Closed)
    }

    /// Seals with this key from now on, and says whether it is here. If not, nothing is sealed any more: whoever has that
    /// key, and perhaps no other, could not open it.
    pub fn seal_with(&self, id: Option<MasterKeyId>) -> bool {
        let place = self.keys.iter().position(|key| Some(key.id()) == id);
        self.sealing.store(place.unwrap_or(NONE), Ordering::Relaxed);
        place.is_some()
    }

    /// Whether what is sealed says by which key. A database whose master key was never changed may be shared with a
    /// program of the version before, which does not know that form (S-154).
    pub fn name_keys(&self, named: bool) {
        self.unnamed.store(!named, Ordering::Relaxed);
    }

    /// As [`MasterKey::seal`], with the key that seals.
    ///
    /// # Errors
    /// As [`sealing`](Self::sealing).
    pub fn seal(
        &self,
        purpose: &str,
        context: &[u8],
        plaintext: &[u8],
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        let key = self.sealing()?;
        Ok(match self.unnamed.load(Ordering::Relaxed) {
            true => key.seal_unnamed(purpose, context, plaintext, rng),
            false => key.seal(purpose, context, plaintext, rng),
        })
    }

    /// As [`MasterKey::open`], with whichever key it takes.
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn open(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let opened = self.candidates(sealed)?.iter().find_map(|key| key.open(purpose, context, sealed).ok());
        opened.ok_or(SealError::Closed)
    }

    /// The key that opens it.
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn opener(&self, purpose: &str, context: &[u8], sealed: &[u8]) -> Result<&MasterKey, SealError> {
        let opens = |key: &&MasterKey| key.open(purpose, context, sealed).is_ok();
        self.candidates(sealed)?.iter().find(opens).ok_or(SealError::Closed)
    }

    /// The key that it names; any, for what names none.
    fn candidates(&self, sealed: &[u8]) -> Result<&[MasterKey], SealError> {
        let Some(id) = MasterKeyId::named_in(sealed) else { return Ok(&self.keys) };
        let named = self.keys.iter().find(|key| key.id() == id);
        named.map(std::slice::from_ref).ok_or(SealError::NeedsKey(id))
    }

    /// Opens `sealed` and seals it under the [given](Self::given) key.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reseal(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        let plaintext = self.open(purpose, context, sealed)?;
        Ok(self.given().seal(purpose, context, &plaintext, rng))
    }

    /// Seals a key for `purpose` that is to outlive the master key it was derived from.
    ///
    /// # Errors
    /// As [`sealing`](Self::sealing).
    pub fn seal_key(
        &self,
        purpose: &str,
        context: &[u8],
        key: &SubKey,
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        self.seal(purpose, context, key.as_bytes(), rng)
    }

    /// Opens what [`seal_key`](Self::seal_key) made.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_key(&self, purpose: &str, context: &[u8], sealed: &[u8]) -> Result<SubKey, SealError> {
        let bytes = self.open(purpose, context, sealed)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| SealError::Closed)?;
        Ok(SubKey::from_bytes(Zeroizing::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;
    use crate::seal::testing::unnamed;

    fn key(seed: u64) -> MasterKey {
        MasterKey::generate(&SeededRng::new(seed))
    }

    fn ring(given: u64, previous: &[u64]) -> Keyring {
        Keyring::new(key(given), previous.iter().copied().map(key).collect())
    }

    fn seal(ring: &Keyring) -> Result<Vec<u8>, SealError> {
        ring.seal("totp", b"row 1", b"secret", &SeededRng::new(9))
    }

    fn open(ring: &Keyring, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        ring.open("totp", b"row 1", sealed).map(|plain| plain.to_vec())
    }

    #[test]
    fn one_key_seals_and_all_of_them_open() {
        let sealed = [1, 2, 3].map(|seed| seal(&ring(seed, &[])).unwrap());
        let both = ring(2, &[1]);
        assert_eq!(MasterKeyId::named_in(&seal(&both).unwrap()), Some(key(2).id()));
        assert_eq!(open(&both, &sealed[0]).unwrap(), b"secret");
        assert_eq!(open(&both, &sealed[1]).unwrap(), b"secret");
        assert_eq!(open(&both, &sealed[2]), Err(SealError::NeedsKey(key(3).id())));
        let from_before = unnamed();
        assert_eq!(open(&both, &from_before).unwrap(), b"secret");
        assert_eq!(open(&ring(2, &[3]), &from_before), Err(SealError::Closed));
    }

    #[test]
    fn it_seals_with_the_key_it_is_told_and_with_none_that_it_lacks() {
        let both = ring(2, &[1]);
        assert!(both.seal_with(Some(key(1).id())));
        assert_eq!(MasterKeyId::named_in(&seal(&both).unwrap()), Some(key(1).id()));
        for none in [Some(key(3).id()), None] {
            assert!(!both.seal_with(none));
            assert_eq!(seal(&both), Err(SealError::Closed));
        }
        assert!(both.seal_with(Some(key(2).id())) && seal(&both).is_ok());
    }

    #[test]
    fn what_programs_from_before_may_read_has_the_form_that_they_know() {
        let ring = ring(1, &[]);
        ring.name_keys(false);
        let sealed = seal(&ring).unwrap();
        assert_eq!((sealed[0], sealed.len()), (1, unnamed().len()));
        assert_eq!(open(&ring, &sealed).unwrap(), b"secret");
        ring.name_keys(true);
        assert!(MasterKeyId::named_in(&seal(&ring).unwrap()).is_some());
    }

    #[test]
    fn what_is_sealed_again_is_under_the_given_key_alone() {
        let both = ring(2, &[1]);
        assert!(both.seal_with(Some(key(1).id())));
        for old in [seal(&both).unwrap(), unnamed()] {
            let again = both.reseal("totp", b"row 1", &old, &SeededRng::new(7)).unwrap();
            assert_eq!(open(&ring(2, &[]), &again).unwrap(), b"secret");
            assert!(open(&ring(1, &[]), &again).is_err());
        }
        assert!(both.reseal("totp", b"row 2", &seal(&both).unwrap(), &SeededRng::new(7)).is_err());
    }

    #[test]
    fn a_key_that_is_kept_is_the_one_that_was_derived() {
        let (ring, rng) = (ring(1, &[]), SeededRng::new(9));
        let derived = key(1).derive("links");
        let sealed = ring.seal_key("kept", b"links", &derived, &rng).unwrap();
        assert_eq!(ring.open_key("kept", b"links", &sealed).unwrap().as_bytes(), derived.as_bytes());
        assert!(ring.open_key("kept", b"places", &sealed).is_err());
        let short = ring.seal("kept", b"links", b"short", &rng).unwrap();
        assert_eq!(ring.open_key("kept", b"links", &short).unwrap_err(), SealError::Closed);
    }
}
