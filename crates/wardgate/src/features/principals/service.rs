//! From a credential's row to whoever it stands for. Runs inside the transactions of others.

use std::sync::Arc;

use uuid::Uuid;
use wardgate_store::{StoreError, Tx};

use super::model::{Authenticated, Holder, Standing, Verdict, judge};
use crate::features::organizations;
use crate::features::roles::{self, Rights};
use crate::features::{service_accounts, users};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::principal::{Principal, Subject, Via};

/// The user or service account, active or not.
async fn holder(tx: &mut Tx, subject: Subject) -> Result<Option<Holder>, StoreError> {
    Ok(match subject {
        Subject::User(id) => users::find(tx, id).await?.map(|user| Holder::User(Arc::new(user))),
        Subject::ServiceAccount(id) => {
            let account = service_accounts::find(tx, id).await?;
            account.map(|account| Holder::ServiceAccount(Arc::new(account)))
        }
    })
}

/// Whoever the credential stands for, with their rights now. `standing` is `None` for one that is not there:
/// it is refused after the same statements as one that is (S-065).
///
/// # Errors
/// [`AuthError::InactiveUser`] if all is well but its owner; [`AuthError::InvalidCredential`] otherwise.
pub(crate) async fn resolve(
    tx: &mut Tx,
    tenant: TenantId,
    via: Via,
    standing: Option<Standing>,
) -> Result<Authenticated, AuthError> {
    let nobody = Subject::User(UserId::from_uuid(Uuid::nil()));
    let subject = standing.as_ref().map_or(nobody, |standing| standing.owner);
    let holder = holder(tx, subject).await?;
    let roles = roles::of(tx, subject).await?;
    let (Some(standing), Some(holder)) = (standing, holder) else { return Err(AuthError::InvalidCredential) };
    // Whoever was removed acts in it no more, although the session still says so.
    let org = match (standing.org, subject) {
        (Some(org), Subject::User(user)) => organizations::active(tx, org, user).await?,
        _ => None,
    };
    match judge(standing.live, standing.ended_by_disabling, holder.is_active()) {
        Verdict::Bad => Err(AuthError::InvalidCredential),
        Verdict::Inactive => Err(AuthError::InactiveUser),
        Verdict::Good => Ok(Authenticated {
            principal: Principal { tenant, subject, via },
            holder,
            rights: Rights { roles, limit: standing.limit },
            proven_at: standing.proven_at,
            org,
        }),
    }
}
