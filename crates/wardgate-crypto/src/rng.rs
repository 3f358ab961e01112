//! The one source of chance.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{Context, SHA256};

/// A source of random bytes.
pub trait Rng: Send + Sync {
    /// Fills `bytes` completely.
    fn fill(&self, bytes: &mut [u8]);
}

/// Random bytes of the cryptographic library, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// When the operating system has no randomness to give. Going on with a guessable key would be worse.
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("without randomness no secret can be made");
    }
}

/// The same bytes for the same seed, for tests. **Never for production: whoever knows the seed knows every secret.**
#[derive(Debug)]
pub struct SeededRng {
    seed: u64,
    blocks: AtomicU64,
}

impl SeededRng {
    /// A fresh sequence for `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, blocks: AtomicU64::new(0) }
    }

    fn next_block(&self) -> impl AsRef<[u8]> {
        let mut context = Context::new(&SHA256);
        context.update(&self.seed.to_be_bytes());
        context.update(&self.blocks.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        context.finish()
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            chunk.copy_from_slice(&self.next_block().as_ref()[..chunk.len()]);
        }
    }
}

pub(crate) fn array<const N: usize>(rng: &dyn Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_no_other() {
        let (one, same, other) = (SeededRng::new(1), SeededRng::new(1), SeededRng::new(2));
        let first: [u8; 100] = array(&one);
        assert_eq!(first, array::<100>(&same));
        assert_ne!(first, array::<100>(&other));
        assert_ne!(first, array::<100>(&one), "a sequence goes on");
        assert_ne!(first[..32], first[32..64], "blocks differ");
    }

    #[test]
    fn the_system_fills_every_byte() {
        let mut ever_set = [0u8; 70];
        for _ in 0..20 {
            let bytes: [u8; 70] = array(&SystemRng);
            ever_set.iter_mut().zip(bytes).for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(ever_set.iter().all(|byte| *byte != 0));
    }
}
