//! scrypt, for imports: `$scrypt$ln=16,r=8,p=1$salt$digest` (passlib) and `scrypt$16384$salt$8$5$digest` (Django).

use ::scrypt::{Params, scrypt};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::stored::{MALFORMED, Reason, TOO_COSTLY, decimal, parameters};

/// N·r, each unit 128 bytes of memory: half a GiB.
const MAX_MEMORY_UNITS: u64 = 1 << 22;
/// N·r·p, which is the time.
const MAX_WORK_UNITS: u64 = 1 << 23;

/// A stored scrypt hash.
pub(super) struct Stored {
    cost: (u8, u32, u32),
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Stored {
    /// Reads what follows `$scrypt$`.
    pub(super) fn parse_passlib(rest: &str) -> Result<Self, Reason> {
        let (cost, salt, digest) = passlib_fields(rest).ok_or(MALFORMED)?;
        Self::new(cost, salt, digest, 32)
    }

    /// Reads what follows Django's `scrypt$`; the salt is text and used as it stands.
    pub(super) fn parse_django(rest: &str) -> Result<Self, Reason> {
        let (cost, salt, digest) = django_fields(rest).ok_or(MALFORMED)?;
        Self::new(cost, salt, digest, 64)
    }

    fn new(
        cost: (u32, u32, u32),
        salt: Vec<u8>,
        digest: Vec<u8>,
        digest_bytes: usize,
    ) -> Result<Self, Reason> {
        let (log_n, r, p) = cost;
        // A cut digest is a prefix of the right one and would still match: its length has to be whole.
        if log_n == 0 || r == 0 || p == 0 || digest.len() != digest_bytes {
            return Err(MALFORMED);
        }
        let memory = 1u64.checked_shl(log_n).and_then(|n| n.checked_mul(u64::from(r))).ok_or(TOO_COSTLY)?;
        let work = memory.checked_mul(u64::from(p)).ok_or(TOO_COSTLY)?;
        if memory > MAX_MEMORY_UNITS || work > MAX_WORK_UNITS {
            return Err(TOO_COSTLY);
        }
        let log_n = u8::try_from(log_n).map_err(|_| TOO_COSTLY)?;
        Ok(Self { cost: (log_n, r, p), salt, digest })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, Reason> {
        let (log_n, r, p) = self.cost;
        let params = Params::new(log_n, r, p).map_err(|_| MALFORMED)?;
        let mut computed = Zeroizing::new(vec![0; self.digest.len()]);
        scrypt(password, &self.salt, &params, &mut computed).map_err(|_| MALFORMED)?;
        Ok(computed.ct_eq(&self.digest).into())
    }

    pub(super) fn label(&self) -> String {
        let (log_n, r, p) = self.cost;
        format!("scrypt:ln={log_n},r={r},p={p}")
    }
}

type Fields = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn passlib_fields(rest: &str) -> Option<Fields> {
    let mut fields = rest.split('$');
    let [log_n, r, p] = parameters(fields.next()?, ["ln", "r", "p"])?;
    let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    let digest = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    let cost = (decimal(log_n)?, decimal(r)?, decimal(p)?);
    fields.next().is_none().then_some((cost, salt, digest))
}

fn django_fields(rest: &str) -> Option<Fields> {
    let mut fields = rest.split('$');
    let n = decimal(fields.next()?).filter(|n| n.is_power_of_two())?;
    let salt = fields.next()?.as_bytes().to_vec();
    let (r, p) = (decimal(fields.next()?)?, decimal(fields.next()?)?);
    let digest = STANDARD.decode(fields.next()?).ok()?;
    fields.next().is_none().then_some(((n.ilog2(), r, p), salt, digest))
}
