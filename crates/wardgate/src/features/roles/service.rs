//! Reads and writes who has which role. These run inside the transactions of others.

use wardgate_store::{StoreError, Tx};

use super::model::{BuiltinRole, Roles};
use super::store;
use crate::kernel::ids::UserId;

/// The user's roles now.
///
/// A name this program does not know is left out: it allows nothing.
pub(crate) async fn of(tx: &mut Tx, user: UserId) -> Result<Roles, StoreError> {
    let rows = store::of_user(tx, user).await?;
    Ok(Roles::new(rows.iter().filter_map(|(name,)| name.parse().ok()).collect()))
}

/// Everybody who has the role, active or not.
pub(crate) async fn holders(tx: &mut Tx, role: BuiltinRole) -> Result<Vec<UserId>, StoreError> {
    Ok(store::holders(tx, role.as_str()).await?.into_iter().map(|(user,)| user).collect())
}

/// Gives the user this role and takes every other away.
pub(crate) async fn assign_only(tx: &mut Tx, user: UserId, role: BuiltinRole) -> Result<(), StoreError> {
    store::clear(tx, user).await?;
    store::insert(tx, user, role.as_str()).await
}
