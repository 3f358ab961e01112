//! SQL of `acme_accounts`, `acme_certificates` and `acme_challenges`, which are above tenants.
#![cfg_attr(
    not(feature = "acme"),
    allow(dead_code, unreachable_pub, reason = "what is sealed is all that is then looked at")
)]

use wardgate_store::{GlobalSql, GlobalTx, StoreError, global_sql, params};

use crate::kernel::time::Timestamp;

const FIND_ACCOUNT: GlobalSql = global_sql!("SELECT sealed FROM acme_accounts WHERE directory = $1");
const INSERT_ACCOUNT: GlobalSql = global_sql!(
    "INSERT INTO acme_accounts (directory, sealed) VALUES ($1, $2) ON CONFLICT (directory) DO NOTHING"
);
const REMOVE_ACCOUNT: GlobalSql = global_sql!("DELETE FROM acme_accounts WHERE directory = $1");
const INSERT: GlobalSql = global_sql!(
    "INSERT INTO acme_certificates (directory, names, attempts, due_at) VALUES ($1, $2, 0, $3) \
     ON CONFLICT (directory, names) DO NOTHING"
);
const FIND_STATE: GlobalSql = global_sql!(
    "SELECT not_after, attempts, due_at FROM acme_certificates WHERE directory = $1 AND names = $2"
);
const LIST_KEPT: GlobalSql = global_sql!(
    "SELECT directory, names, issued_at, not_after FROM acme_certificates WHERE issued_at IS NOT NULL \
     ORDER BY directory, names"
);
const FIND_ISSUED: GlobalSql = global_sql!(
    "SELECT chain, sealed_key FROM acme_certificates WHERE directory = $1 AND names = $2 AND issued_at = $3"
);
const CLAIM: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $4, claimed_until = $5, attempts = attempts + 1 \
     WHERE directory = $1 AND names = $2 AND due_at = $3"
);
const POSTPONE: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $4, claimed_until = NULL \
     WHERE directory = $1 AND names = $2 AND due_at = $3"
);
const HURRY: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $3 \
     WHERE directory = $1 AND names = $2 AND due_at > $3 AND attempts > 0 \
     AND (claimed_until IS NULL OR claimed_until <= $3)"
);
const REPLACE: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $4 WHERE directory = $1 AND names = $2 AND issued_at = $3 \
     AND issued_at <= $5 AND due_at > $4 AND attempts = 0 AND claimed_until IS NULL"
);
const ISSUE: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET chain = $4, sealed_key = $5, issued_at = $6, not_after = $7, attempts = 0, \
     due_at = $8, claimed_until = NULL WHERE directory = $1 AND names = $2 AND due_at = $3"
);
const PURGE: GlobalSql =
    global_sql!("DELETE FROM acme_certificates WHERE due_at < $1 AND (not_after IS NULL OR not_after < $1)");
const CHALLENGES: GlobalSql =
    global_sql!("SELECT name, digest FROM acme_challenges WHERE expires_at > $1 ORDER BY name");
const PUT_CHALLENGE: GlobalSql = global_sql!(
    "INSERT INTO acme_challenges (name, digest, expires_at) VALUES ($1, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at"
);
const REMOVE_CHALLENGE: GlobalSql =
    global_sql!("DELETE FROM acme_challenges WHERE (name = $1 AND digest = $2) OR expires_at <= $3");

const ACCOUNTS_BEHIND: GlobalSql =
    global_sql!("SELECT directory, sealed FROM acme_accounts WHERE substr(sealed, 1, 9) <> $1");
const RESEAL_ACCOUNT: GlobalSql =
    global_sql!("UPDATE acme_accounts SET sealed = $3 WHERE directory = $1 AND sealed = $2");
const KEYS_BEHIND: GlobalSql = global_sql!(
    "SELECT directory, names, sealed_key FROM acme_certificates WHERE substr(sealed_key, 1, 9) <> $1"
);
const RESEAL_KEY: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET sealed_key = $4 WHERE directory = $1 AND names = $2 AND sealed_key = $3"
);

/// Which certificate: from which authority, for which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Which {
    pub(super) directory: String,
    /// Sorted, with a space between.
    pub(super) names: String,
}

impl Which {
    /// Binds a sealed key to its row.
    pub(super) fn seal_context(&self) -> Vec<u8> {
        format!("{} {}", self.directory, self.names).into_bytes()
    }
}

/// How far a certificate is.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) not_after: Option<Timestamp>,
    pub(super) attempts: i64,
    pub(super) due_at: Timestamp,
}

/// What tells a certificate from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateVersion {
    pub(super) which: Which,
    pub(super) issued_at: Timestamp,
}

/// A certificate that there is.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) version: CertificateVersion,
    pub(super) not_after: Timestamp,
}

/// What an authority gave.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) sealed_key: Vec<u8>,
}

pub(super) async fn find_account(tx: &mut GlobalTx, directory: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(Vec<u8>,)> = tx.opt(FIND_ACCOUNT, &params![directory]).await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Keeps the account that is there, if there is one.
pub(super) async fn insert_account(
    tx: &mut GlobalTx,
    directory: &str,
    sealed: &[u8],
) -> Result<(), StoreError> {
    tx.exec(INSERT_ACCOUNT, &params![directory, sealed]).await.map(drop)
}

pub(super) async fn remove_account(tx: &mut GlobalTx, directory: &str) -> Result<(), StoreError> {
    tx.exec(REMOVE_ACCOUNT, &params![directory]).await.map(drop)
}

/// Makes a certificate due that nobody knew of.
pub(super) async fn insert(tx: &mut GlobalTx, which: &Which, now: Timestamp) -> Result<(), StoreError> {
    tx.exec(INSERT, &params![which.directory, which.names, now]).await.map(drop)
}

pub(super) async fn find_state(tx: &mut GlobalTx, which: &Which) -> Result<Option<State>, StoreError> {
    let row: Option<(Option<Timestamp>, i64, Timestamp)> =
        tx.opt(FIND_STATE, &params![which.directory, which.names]).await?;
    Ok(row.map(|(not_after, attempts, due_at)| State { not_after, attempts, due_at }))
}

/// All certificates that there are.
pub(super) async fn list_kept(tx: &mut GlobalTx) -> Result<Vec<Kept>, StoreError> {
    let rows: Vec<(String, String, Timestamp, Timestamp)> = tx.all(LIST_KEPT, &params![]).await?;
    let kept = |(directory, names, issued_at, not_after)| Kept {
        version: CertificateVersion { which: Which { directory, names }, issued_at },
        not_after,
    };
    Ok(rows.into_iter().map(kept).collect())
}

pub(super) async fn find_issued(
    tx: &mut GlobalTx,
    version: &CertificateVersion,
) -> Result<Option<Issued>, StoreError> {
    let CertificateVersion { which, issued_at } = version;
    let row: Option<(String, Vec<u8>)> =
        tx.opt(FIND_ISSUED, &params![which.directory, which.names, issued_at]).await?;
    Ok(row.map(|(chain, sealed_key)| Issued { chain, sealed_key }))
}

/// Takes the order until `until` if nobody did since it was `seen`, and makes the next due at `due_at`; says whether this
/// call did it.
pub(super) async fn claim(
    tx: &mut GlobalTx,
    which: &Which,
    seen: Timestamp,
    due_at: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(CLAIM, &params![which.directory, which.names, seen, due_at, until]).await? == 1)
}

/// Makes an order due at `due_at`, if it is still this call's; says whether it was.
pub(super) async fn postpone(
    tx: &mut GlobalTx,
    which: &Which,
    seen: Timestamp,
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(POSTPONE, &params![which.directory, which.names, seen, due_at]).await? == 1)
}

/// Makes an order due that has failed and that nobody is at; says whether there was one.
pub(super) async fn hurry(tx: &mut GlobalTx, which: &Which, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(HURRY, &params![which.directory, which.names, now]).await? == 1)
}

/// Makes the order due that replaces a certificate, if it is from before `before` and nothing has been tried since; says
/// whether this call did it.
pub(super) async fn replace(
    tx: &mut GlobalTx,
    version: &CertificateVersion,
    now: Timestamp,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let CertificateVersion { which, issued_at } = version;
    let values = params![which.directory, which.names, issued_at, now, before];
    Ok(tx.exec(REPLACE, &values).await? == 1)
}

/// Puts a certificate in the place of the one before, if the order is still this call's; says whether it did.
pub(super) async fn issue(
    tx: &mut GlobalTx,
    seen: Timestamp,
    kept: &Kept,
    issued: &Issued,
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    let Kept { version: CertificateVersion { which, issued_at }, not_after } = kept;
    let Issued { chain, sealed_key } = issued;
    let values =
        params![which.directory, which.names, seen, *chain, *sealed_key, *issued_at, *not_after, due_at];
    Ok(tx.exec(ISSUE, &values).await? == 1)
}

/// The accounts whose key does not begin with the mark.
pub(super) async fn accounts_behind(
    tx: &mut GlobalTx,
    mark: &[u8],
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    tx.all(ACCOUNTS_BEHIND, &params![mark]).await
}

/// Replaces the sealed key of an account that was `seen`; says whether this call did it.
pub(super) async fn reseal_account(
    tx: &mut GlobalTx,
    directory: &str,
    seen: &[u8],
    sealed: &[u8],
) -> Result<bool, StoreError> {
    Ok(tx.exec(RESEAL_ACCOUNT, &params![directory, seen, sealed]).await? == 1)
}

/// The certificates whose key does not begin with the mark.
pub(super) async fn keys_behind(tx: &mut GlobalTx, mark: &[u8]) -> Result<Vec<(Which, Vec<u8>)>, StoreError> {
    let rows: Vec<(String, String, Vec<u8>)> = tx.all(KEYS_BEHIND, &params![mark]).await?;
    Ok(rows.into_iter().map(|(directory, names, sealed)| (Which { directory, names }, sealed)).collect())
}

/// Replaces the sealed key of a certificate that was `seen`; says whether this call did it.
pub(super) async fn reseal_key(
    tx: &mut GlobalTx,
    which: &Which,
    seen: &[u8],
    sealed: &[u8],
) -> Result<bool, StoreError> {
    Ok(tx.exec(RESEAL_KEY, &params![which.directory, which.names, seen, sealed]).await? == 1)
}

/// Removes what ended, or was never there, and that nobody has asked for since `before`.
pub(super) async fn purge(tx: &mut GlobalTx, before: Timestamp) -> Result<(), StoreError> {
    tx.exec(PURGE, &params![before]).await.map(drop)
}

pub(super) async fn challenges(
    tx: &mut GlobalTx,
    now: Timestamp,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    tx.all(CHALLENGES, &params![now]).await
}

pub(super) async fn put_challenge(
    tx: &mut GlobalTx,
    name: &str,
    digest: &[u8],
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(PUT_CHALLENGE, &params![name, digest, expires_at]).await.map(drop)
}

/// Removes the challenge of a name, unless another order has put its own there, and those that have ended.
pub(super) async fn remove_challenge(
    tx: &mut GlobalTx,
    name: &str,
    digest: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(REMOVE_CHALLENGE, &params![name, digest, now]).await.map(drop)
}
