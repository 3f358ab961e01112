//! SQL of `passwords`.

use wardgate_store::{Sql, StoreError, Tx, from_row, params, sql};

use super::model::ForeignHash;
use crate::kernel::ids::UserId;
use crate::kernel::time::Timestamp;

const BY_USER: Sql =
    sql!("SELECT tenant_id, hash, version FROM passwords WHERE tenant_id = $1 AND user_id = $2");
const NEXT_SCHEME: Sql = sql!(
    "SELECT tenant_id, scheme, hash FROM passwords WHERE tenant_id = $1 AND scheme > $2 ORDER BY scheme LIMIT 1"
);
const SET: Sql = sql!(
    "INSERT INTO passwords (tenant_id, user_id, hash, scheme, version, changed_at) VALUES ($1, $2, $3, $4, 1, $5) \
     ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, scheme = excluded.scheme, \
     version = passwords.version + 1, changed_at = excluded.changed_at"
);
const CHANGE: Sql = sql!(
    "UPDATE passwords SET hash = $4, scheme = $5, version = version + 1, changed_at = $6 \
     WHERE tenant_id = $1 AND user_id = $2 AND version = $3"
);
const REMOVE: Sql = sql!("DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2");
const REHASH: Sql =
    sql!("UPDATE passwords SET hash = $4, scheme = $5 WHERE tenant_id = $1 AND user_id = $2 AND hash = $3");

/// A stored password.
pub(super) struct StoredPassword {
    pub(super) hash: String,
    pub(super) version: i64,
}

from_row!(StoredPassword { hash, version });

/// One stored hash of a scheme, to measure what it costs.
pub(super) struct SchemeSample {
    pub(super) scheme: String,
    pub(super) hash: String,
}

from_row!(SchemeSample { scheme, hash });

/// A new hash with its scheme's label.
#[derive(Debug, Clone)]
pub(super) struct NewHash {
    pub(super) hash: String,
    pub(super) scheme: String,
}

impl From<&ForeignHash> for NewHash {
    fn from(foreign: &ForeignHash) -> Self {
        Self { hash: foreign.as_str().to_owned(), scheme: foreign.scheme().to_owned() }
    }
}

pub(super) async fn by_user(tx: &mut Tx, user: UserId) -> Result<Option<StoredPassword>, StoreError> {
    tx.opt(BY_USER, &params![user]).await
}

/// The scheme that follows `after` in the alphabet, with one hash of it: a walk over the schemes in use that
/// touches one index entry each.
pub(super) async fn next_scheme(tx: &mut Tx, after: &str) -> Result<Option<SchemeSample>, StoreError> {
    tx.opt(NEXT_SCHEME, &params![after]).await
}

/// Sets the password whether or not there was one; its version rises.
pub(super) async fn set(tx: &mut Tx, user: UserId, new: &NewHash, now: Timestamp) -> Result<(), StoreError> {
    tx.exec(SET, &params![user, new.hash, new.scheme, now]).await.map(drop)
}

/// Changes the password if it is still of `version`; says whether this call did it.
pub(super) async fn change(
    tx: &mut Tx,
    user: UserId,
    version: i64,
    new: &NewHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.exec(CHANGE, &params![user, version, new.hash, new.scheme, now]).await? == 1)
}

/// Replaces the hash of an unchanged password by one of another scheme; says whether this call did it.
pub(super) async fn rehash(tx: &mut Tx, user: UserId, old: &str, new: &NewHash) -> Result<bool, StoreError> {
    Ok(tx.exec(REHASH, &params![user, old, new.hash, new.scheme]).await? == 1)
}

/// Leaves the account without a password.
pub(super) async fn remove(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.exec(REMOVE, &params![user]).await.map(drop)
}
