//! bcrypt, alone and after SHA-256.
//!
//! bcrypt reads 72 bytes and stops at a NUL. A longer password is never cut here: new hashes of it go through
//! HMAC-SHA-256 first (passlib's form), and a stored plain hash cannot have come from it.

use ::bcrypt::bcrypt;
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::HashError;
use super::stored::{MALFORMED, Reason, TOO_COSTLY, parameters};
use crate::rng::{self, Rng};

/// Each step doubles the time; 17 takes about eight seconds.
pub(super) const MAX_COST: u32 = 17;
const MIN_COST: u32 = 4;
const MAX_PASSWORD_BYTES: usize = 72;

/// bcrypt's own alphabet. Some writers leave random bits in the salt's last character; every reader ignores them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// What bcrypt is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The password itself.
    Plain,
    /// SHA-256 in hexadecimal: Django's `bcrypt_sha256`.
    HexSha256,
    /// SHA-256 in base64: passlib's `bcrypt-sha256`, version 1.
    Base64Sha256,
    /// HMAC-SHA-256 keyed with the salt's text, in base64: passlib's version 2, and ours for long passwords.
    Base64Hmac,
}

/// A stored bcrypt hash.
pub(super) struct Stored {
    form: Form,
    cost: u32,
    salt: [u8; 16],
    salt_text: String,
    digest: [u8; 23],
}

impl Stored {
    /// Reads what follows `$2b$`: `12$`, 22 characters of salt and 31 of digest.
    pub(super) fn parse(rest: &str, form: Form) -> Result<Self, Reason> {
        let (cost, body) = rest.split_once('$').ok_or(MALFORMED)?;
        let (salt, digest) = body.split_at_checked(22).ok_or(MALFORMED)?;
        Self::from_fields(form, cost, salt, digest)
    }

    /// Reads what follows Django's own name: the usual text with its `$2b$`.
    pub(super) fn parse_django(rest: &str, form: Form) -> Result<Self, Reason> {
        let versions = ["$2a$", "$2b$", "$2y$"];
        let rest = versions.iter().find_map(|version| rest.strip_prefix(version)).ok_or(MALFORMED)?;
        Self::parse(rest, form)
    }

    /// Reads what follows `$bcrypt-sha256$`: `v=2,t=2b,r=12` (version 2) or `2b,12` (version 1), then salt and digest.
    pub(super) fn parse_passlib(rest: &str) -> Result<Self, Reason> {
        let (head, body) = rest.split_once('$').ok_or(MALFORMED)?;
        let (salt, digest) = body.split_once('$').ok_or(MALFORMED)?;
        let (form, version, cost) = match (parameters(head, ["v", "t", "r"]), head.split_once(',')) {
            (Some(["2", version, cost]), _) => (Form::Base64Hmac, version, cost),
            (None, Some((version, cost))) => (Form::Base64Sha256, version, cost),
            _ => return Err(MALFORMED),
        };
        if !matches!(version, "2a" | "2b" | "2y") {
            return Err(MALFORMED);
        }
        // passlib does not pad the cost here, the plain form does.
        Self::from_fields(form, &format!("{cost:0>2}"), salt, digest)
    }

    fn from_fields(form: Form, cost: &str, salt: &str, digest: &str) -> Result<Self, Reason> {
        let cost = parse_cost(cost)?;
        let (salt_bytes, digest_bytes) = decode(salt, digest).ok_or(MALFORMED)?;
        Ok(Self { form, cost, salt: salt_bytes, salt_text: salt.to_owned(), digest: digest_bytes })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let reachable = self.form != Form::Plain || fits(password);
        // A password that cannot be the one still costs a full run, or its speed would tell which form is stored.
        let form = if reachable { self.form } else { Form::Base64Hmac };
        let computed = run(self.cost, &self.salt, &input(form, password, &self.salt_text));
        let equal: bool = computed.ct_eq(&self.digest).into();
        equal && reachable
    }

    pub(super) fn is_made_with(&self, cost: u32) -> bool {
        self.cost == cost && matches!(self.form, Form::Plain | Form::Base64Hmac)
    }

    pub(super) fn label(&self) -> String {
        let name = match self.form {
            Form::Plain => "bcrypt",
            Form::HexSha256 => "bcrypt-sha256-hex",
            Form::Base64Sha256 => "bcrypt-sha256-v1",
            Form::Base64Hmac => "bcrypt-sha256",
        };
        format!("{name}:{}", self.cost)
    }
}

fn parse_cost(text: &str) -> Result<u32, Reason> {
    if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    match text.parse().map_err(|_| MALFORMED)? {
        cost if cost < MIN_COST => Err(MALFORMED),
        cost if cost > MAX_COST => Err(TOO_COSTLY),
        cost => Ok(cost),
    }
}

fn decode(salt: &str, digest: &str) -> Option<([u8; 16], [u8; 23])> {
    let salt = BASE64.decode(salt).ok()?.try_into().ok()?;
    let digest = BASE64.decode(digest).ok()?.try_into().ok()?;
    Some((salt, digest))
}

/// Says whether bcrypt reads all of a password.
fn fits(password: &[u8]) -> bool {
    password.len() <= MAX_PASSWORD_BYTES && !password.contains(&0)
}

fn input(form: Form, password: &[u8], salt_text: &str) -> Zeroizing<Vec<u8>> {
    let text = match form {
        Form::Plain => return Zeroizing::new(password.to_vec()),
        Form::HexSha256 => sha256(password).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        Form::Base64Sha256 => STANDARD.encode(sha256(password)),
        Form::Base64Hmac => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, salt_text.as_bytes());
            STANDARD.encode(hmac::sign(&key, password))
        }
    };
    Zeroizing::new(text.into_bytes())
}

fn sha256(password: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, password)
}

/// Runs bcrypt over `input`, which [`fits`], with the NUL that ends it when there is room.
fn run(cost: u32, salt: &[u8; 16], input: &[u8]) -> [u8; 23] {
    let mut key = Zeroizing::new([0; MAX_PASSWORD_BYTES]);
    let length = input.len().min(MAX_PASSWORD_BYTES);
    key[..length].copy_from_slice(&input[..length]);
    let [digest @ .., _] = bcrypt(cost, *salt, &key[..MAX_PASSWORD_BYTES.min(length + 1)]);
    digest
}

pub(super) fn hash(password: &[u8], cost: u32, rng: &dyn Rng) -> Result<String, HashError> {
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        return Err(HashError::Parameters);
    }
    let salt: [u8; 16] = rng::array(rng);
    let salt_text = BASE64.encode(salt);
    let form = if fits(password) { Form::Plain } else { Form::Base64Hmac };
    let digest = run(cost, &salt, &input(form, password, &salt_text));
    Ok(format(form, cost, &salt_text, &digest))
}

/// The digest is as random as any and comes from nobody's password.
pub(super) fn decoy(cost: u32) -> String {
    let digest = crate::Digest::of(b"wardgate: nobody's password");
    format(Form::Plain, cost, &BASE64.encode(b"wardgate: nobody"), &digest.as_bytes()[..23])
}

fn format(form: Form, cost: u32, salt: &str, digest: &[u8]) -> String {
    let digest = BASE64.encode(digest);
    match form {
        Form::Base64Hmac => format!("$bcrypt-sha256$v=2,t=2b,r={cost}${salt}${digest}"),
        _ => format!("$2b${cost:02}${salt}{digest}"),
    }
}
