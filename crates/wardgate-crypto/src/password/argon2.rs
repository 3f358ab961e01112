//! Argon2 in its PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$digest`.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::HashError;
use super::stored::{MALFORMED, NO_MEMORY, Reason, TOO_COSTLY, decimal, parameters};
use crate::rng::{self, Rng};

/// Bounds of what a stored hash may ask for: an import must not be able to stall the server.
pub(super) const MAX_MEMORY_KIB: u32 = 1024 * 1024;
pub(super) const MAX_LANES: u32 = 64;
/// Memory times passes.
pub(super) const MAX_WORK_KIB: u64 = 4 * 1024 * 1024;

const SALT_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
const MAX_DIGEST_BYTES: usize = 64;

/// Memory in KiB, passes, lanes.
pub(super) type Cost = (u32, u32, u32);

/// Scratch memory of one hashing thread, reused from call to call.
///
/// It keeps up to 64 MiB between calls and gives back what a heavier hash needed. What it keeps holds traces of the
/// last password until the next call or [`Workspace::release`]; a thread that goes idle should release it.
#[derive(Default)]
pub struct Workspace {
    blocks: Vec<Block>,
}

impl Workspace {
    const KEPT_BLOCKS: usize = 64 * 1024;

    /// An empty workspace; memory is taken at first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wipes the memory and gives it back.
    pub fn release(&mut self) {
        self.blocks.zeroize();
        self.blocks = Vec::new();
    }

    fn blocks(&mut self, count: usize) -> Option<&mut [Block]> {
        if self.blocks.len() < count {
            self.release();
            // Asking first: a failed allocation must refuse one sign-in, not end the process.
            self.blocks.try_reserve_exact(count).ok()?;
            self.blocks.resize(count, Block::new());
        }
        self.blocks.get_mut(..count)
    }

    fn trim(&mut self) {
        if self.blocks.len() > Self::KEPT_BLOCKS {
            self.release();
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.release();
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("kib", &self.blocks.len()).finish()
    }
}

/// A stored Argon2 hash.
pub(super) struct Stored {
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Stored {
    /// Reads what follows `$argon2id$` or `$argon2i$`; without `v=` it is the older version 0x10.
    pub(super) fn parse(name: &str, rest: &str) -> Result<Self, Reason> {
        let algorithm = match name {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            _ => return Err("a scheme that is not known"),
        };
        let (version, rest) = match rest.strip_prefix("v=") {
            Some(rest) => rest.split_once('$').ok_or(MALFORMED)?,
            None => ("16", rest),
        };
        let version = match version {
            "19" => Version::V0x13,
            "16" => Version::V0x10,
            _ => return Err(MALFORMED),
        };
        let (cost, salt, digest) = parse_fields(rest).ok_or(MALFORMED)?;
        check_cost(cost)?;
        Ok(Self { algorithm, version, cost, salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8], workspace: &mut Workspace) -> Result<bool, Reason> {
        let mut computed = Zeroizing::new(vec![0; self.digest.len()]);
        compute((self.algorithm, self.version, self.cost), password, &self.salt, &mut computed, workspace)
            .map_err(|fault| if fault == HashError::Memory { NO_MEMORY } else { MALFORMED })?;
        Ok(computed.ct_eq(&self.digest).into())
    }

    pub(super) fn is_made_with(&self, cost: Cost) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.cost == cost
            && self.salt.len() >= SALT_BYTES
            && self.digest.len() >= DIGEST_BYTES
    }

    pub(super) fn label(&self) -> String {
        let version = if self.version == Version::V0x13 { "" } else { "-v16" };
        let (memory, passes, lanes) = self.cost;
        format!("{}{version}:m={memory},t={passes},p={lanes}", self.algorithm)
    }
}

fn parse_fields(rest: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut fields = rest.split('$');
    let [memory, passes, lanes] = parameters(fields.next()?, ["m", "t", "p"])?;
    let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    let digest = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    // A short digest would match by luck, and a short salt is refused by the algorithm.
    let sound = (8..=64).contains(&salt.len()) && (16..=MAX_DIGEST_BYTES).contains(&digest.len());
    let cost = (decimal(memory)?, decimal(passes)?, decimal(lanes)?);
    (sound && fields.next().is_none()).then_some((cost, salt, digest))
}

fn check_cost((memory, passes, lanes): Cost) -> Result<(), Reason> {
    let work = u64::from(memory) * u64::from(passes);
    if memory > MAX_MEMORY_KIB || lanes > MAX_LANES || work > MAX_WORK_KIB {
        return Err(TOO_COSTLY);
    }
    if passes == 0 || lanes == 0 || memory < 8 * lanes { Err(MALFORMED) } else { Ok(()) }
}

pub(super) fn hash(
    password: &[u8],
    cost: Cost,
    rng: &dyn Rng,
    workspace: &mut Workspace,
) -> Result<String, HashError> {
    let salt: [u8; SALT_BYTES] = rng::array(rng);
    let mut digest = [0; DIGEST_BYTES];
    compute((Algorithm::Argon2id, Version::V0x13, cost), password, &salt, &mut digest, workspace)?;
    Ok(format(cost, &salt, &digest))
}

/// The digest is as random as any and comes from nobody's password.
pub(super) fn decoy(cost: Cost) -> String {
    let digest = crate::Digest::of(b"wardgate: nobody's password");
    format(cost, b"wardgate: nobody", digest.as_bytes())
}

fn format((memory, passes, lanes): Cost, salt: &[u8], digest: &[u8]) -> String {
    let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${digest}")
}

fn compute(
    (algorithm, version, (memory, passes, lanes)): (Algorithm, Version, Cost),
    password: &[u8],
    salt: &[u8],
    digest: &mut [u8],
    workspace: &mut Workspace,
) -> Result<(), HashError> {
    check_cost((memory, passes, lanes)).map_err(|_| HashError::Parameters)?;
    let params = Params::new(memory, passes, lanes, Some(digest.len())).map_err(|_| HashError::Parameters)?;
    let blocks = workspace.blocks(params.block_count()).ok_or(HashError::Memory)?;
    let outcome = Argon2::new(algorithm, version, params)
        .hash_password_into_with_memory(password, salt, digest, blocks)
        .map_err(|_| HashError::Parameters);
    workspace.trim();
    outcome
}
