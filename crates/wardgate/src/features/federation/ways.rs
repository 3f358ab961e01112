//! Who can sign in at all: by a password, or through a provider that is on.

use wardgate_store::{StoreError, Tx};

use super::model::opens;
use super::service::Federation;
use super::store;
use crate::features::identities::{self, Identity};
use crate::features::password;
use crate::features::roles::{self, BuiltinRole};
use crate::features::users;
use crate::kernel::ids::{TenantId, UserId};

/// A provider through which people sign in.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    name: String,
    /// `None` where only the provider itself knows.
    issuer: Option<String>,
}

impl Way {
    /// Whether this is how whoever has the link gets in. Under the same name may be another provider by now.
    fn leads_by(&self, link: &Identity) -> bool {
        self.name == link.provider && self.issuer.as_ref().is_none_or(|issuer| *issuer == link.issuer)
    }
}

impl Federation {
    /// The ways that the configuration opens, which no table has.
    pub(crate) fn configured_ways(&self, tenant: TenantId) -> Vec<Way> {
        let each = self.configured_of(tenant).iter();
        each.map(|each| Way { name: each.name.clone(), issuer: each.issuer.clone() }).collect()
    }
}

/// Whether the user has a password, or a link that leads somewhere.
pub(super) async fn can_sign_in(tx: &mut Tx, user: UserId, configured: &[Way]) -> Result<bool, StoreError> {
    if password::hash_of(tx, user).await?.is_some() {
        return Ok(true);
    }
    let links = identities::list_of(tx, user).await?;
    if links.is_empty() {
        return Ok(false);
    }
    let rows = store::list(tx).await?.into_iter().filter(|row| row.disabled_at.is_none());
    let stored =
        rows.map(|row| Way { issuer: Some(row.settings.issuer().to_owned()), name: row.settings.name });
    // A name that both have is the configuration's.
    let stored = stored.filter(|way| configured.iter().all(|known| known.name != way.name));
    let ways: Vec<Way> = stored.chain(configured.iter().cloned()).collect();
    let rules = roles::of(tx, user.into()).await?.rule();
    let mut links = links.iter().filter(|link| opens(link.by_address, rules));
    Ok(links.any(|link| ways.iter().any(|way| way.leads_by(link))))
}

/// Whether there is a superadmin, other than `leaving`, who can sign in. One who was invited and never came cannot.
///
/// Who asks decides alone until the transaction ends: two who each take another's way must not both see one remaining.
pub(crate) async fn superadmin_remains(
    tx: &mut Tx,
    leaving: Option<UserId>,
    configured: &[Way],
) -> Result<bool, StoreError> {
    tx.lock("superadmins").await?;
    for holder in roles::holders(tx, BuiltinRole::Superadmin).await? {
        let is_active = users::find(tx, holder).await?.is_some_and(|user| user.is_active());
        if Some(holder) != leaving && is_active && can_sign_in(tx, holder, configured).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
