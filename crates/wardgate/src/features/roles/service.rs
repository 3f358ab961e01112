//! Reads and writes who has which role. These run inside the transactions of others.

use std::collections::HashMap;

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

/// The roles of each of a page of users. Ids sort by age, so that a page is a narrow range of them.
pub(crate) async fn of_all(tx: &mut Tx, users: &[UserId]) -> Result<HashMap<UserId, Roles>, StoreError> {
    let (Some(first), Some(last)) = (users.iter().min(), users.iter().max()) else {
        return Ok(HashMap::new());
    };
    let mut names: HashMap<UserId, Vec<BuiltinRole>> = HashMap::new();
    for (user, name) in store::of_range(tx, *first, *last).await? {
        names.entry(user).or_default().extend(name.parse::<BuiltinRole>().ok());
    }
    Ok(names.into_iter().map(|(user, roles)| (user, Roles::new(roles))).collect())
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
