//! SQL of `acme_accounts`, `acme_certificates` and `acme_challenges`, which are above tenants.

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
    "SELECT issued_at, not_after, attempts, due_at FROM acme_certificates WHERE directory = $1 AND names = $2"
);
const FIND_ISSUED: GlobalSql = global_sql!(
    "SELECT chain, sealed_key, issued_at FROM acme_certificates \
     WHERE directory = $1 AND names = $2 AND issued_at IS NOT NULL"
);
const CLAIM: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $4, claimed_until = $4, attempts = attempts + 1 \
     WHERE directory = $1 AND names = $2 AND due_at = $3"
);
const POSTPONE: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $4, claimed_until = NULL \
     WHERE directory = $1 AND names = $2 AND due_at = $3"
);
const HURRY: GlobalSql = global_sql!(
    "UPDATE acme_certificates SET due_at = $3 \
     WHERE directory = $1 AND names = $2 AND due_at > $3 AND attempts > 0 AND claimed_until IS NULL"
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
    global_sql!("DELETE FROM acme_challenges WHERE name = $1 OR expires_at <= $2");

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
#[derive(Debug, Clone)]
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
    pub(super) issued_at: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
    pub(super) attempts: i64,
    pub(super) due_at: Timestamp,
}

/// A certificate that an authority gave.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) sealed_key: Vec<u8>,
    pub(super) issued_at: Timestamp,
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
    let row: Option<(Option<Timestamp>, Option<Timestamp>, i64, Timestamp)> =
        tx.opt(FIND_STATE, &params![which.directory, which.names]).await?;
    let state = |(issued_at, not_after, attempts, due_at)| State { issued_at, not_after, attempts, due_at };
    Ok(row.map(state))
}

pub(super) async fn find_issued(tx: &mut GlobalTx, which: &Which) -> Result<Option<Issued>, StoreError> {
    let row: Option<(String, Vec<u8>, Timestamp)> =
        tx.opt(FIND_ISSUED, &params![which.directory, which.names]).await?;
    Ok(row.map(|(chain, sealed_key, issued_at)| Issued { chain, sealed_key, issued_at }))
}

/// Takes the order until `until` if nobody did since it was `seen`; says whether this call did it.
pub(super) async fn claim(
    tx: &mut GlobalTx,
    which: &Which,
    seen: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(CLAIM, &params![which.directory, which.names, seen, until]).await? == 1)
}

/// Makes an order that is still this call's due at `due_at`.
pub(super) async fn postpone(
    tx: &mut GlobalTx,
    which: &Which,
    seen: Timestamp,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(POSTPONE, &params![which.directory, which.names, seen, due_at]).await.map(drop)
}

/// Makes an order due that has failed and that nobody is at; says whether there was one.
pub(super) async fn hurry(tx: &mut GlobalTx, which: &Which, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(HURRY, &params![which.directory, which.names, now]).await? == 1)
}

/// Puts a certificate in the place of the one before, if the order is still this call's; says whether it did.
pub(super) async fn issue(
    tx: &mut GlobalTx,
    which: &Which,
    seen: Timestamp,
    issued: &Issued,
    not_after: Timestamp,
    due_at: Timestamp,
) -> Result<bool, StoreError> {
    let Issued { chain, sealed_key, issued_at } = issued;
    let values =
        params![which.directory, which.names, seen, *chain, *sealed_key, *issued_at, not_after, due_at];
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

/// Removes the challenge of a name, and those that have ended.
pub(super) async fn remove_challenge(
    tx: &mut GlobalTx,
    name: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.exec(REMOVE_CHALLENGE, &params![name, now]).await.map(drop)
}
