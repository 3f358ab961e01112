//! What a request knows of whoever makes it.

use std::sync::Arc;
use std::time::Duration;

use crate::features::organizations::ActiveOrg;
use crate::features::roles::{Limit, Rights};
use crate::features::service_accounts::ServiceAccount;
use crate::features::users::User;
use crate::kernel::error::AuthError;
use crate::kernel::ids::OrgId;
use crate::kernel::principal::{Principal, Subject};
use crate::kernel::time::Timestamp;

/// How long a sign-in or a step-up counts as fresh.
pub(crate) const FRESH: Duration = Duration::from_secs(15 * 60);

/// Whose credential it is.
#[derive(Debug, Clone)]
pub enum Holder {
    /// A human's.
    User(Arc<User>),
    /// A machine's.
    ServiceAccount(Arc<ServiceAccount>),
}

impl Holder {
    /// Whether it may act.
    pub fn is_active(&self) -> bool {
        match self {
            Self::User(user) => user.is_active(),
            Self::ServiceAccount(account) => account.is_active(),
        }
    }
}

/// Whoever a good credential stands for, as the store has them at this request.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who, where, by what.
    pub principal: Principal,
    /// The user or service account.
    pub holder: Holder,
    /// What the principal may do now by this credential, whatever a token says.
    pub rights: Rights,
    /// When a human last proved who they are in this session; `None` for an API key, which nobody can ask.
    pub proven_at: Option<Timestamp>,
    /// The organization that the session acts in, with the user's place there now.
    pub org: Option<ActiveOrg>,
}

impl Authenticated {
    /// Refuses a sign-in that is older than 15 minutes and was not confirmed since. A key that was given the
    /// permission needs no more: no human stands behind it.
    pub(crate) fn require_fresh(&self, now: Timestamp) -> Result<(), AuthError> {
        match self.proven_at {
            Some(proven_at) if now.since(proven_at) >= FRESH => Err(AuthError::StepUpRequired),
            _ => Ok(()),
        }
    }
}

/// What the row of a credential says of it.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) owner: Subject,
    /// Neither ended nor expired.
    pub(crate) live: bool,
    /// It ended because its owner was deactivated.
    pub(crate) ended_by_disabling: bool,
    pub(crate) limit: Limit,
    pub(crate) proven_at: Option<Timestamp>,
    pub(crate) org: Option<OrgId>,
}

/// What a credential is worth, once its owner is known as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Bad,
    /// Good but for its deactivated owner.
    Inactive,
}

/// Decides whether the credential opens anything.
pub(super) fn judge(live: bool, ended_by_disabling: bool, owner_active: bool) -> Verdict {
    match (owner_active, live) {
        (true, true) => Verdict::Good,
        (false, true) => Verdict::Inactive,
        (false, false) if ended_by_disabling => Verdict::Inactive,
        _ => Verdict::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_credential_of_an_active_owner_is_good() {
        // S-018
        for (live, by_disabling, active, expected) in [
            (true, false, true, Verdict::Good),
            (true, false, false, Verdict::Inactive),
            (false, true, false, Verdict::Inactive),
            (false, false, false, Verdict::Bad),
            (false, false, true, Verdict::Bad),
            (false, true, true, Verdict::Bad),
        ] {
            assert_eq!(judge(live, by_disabling, active), expected, "{live} {by_disabling} {active}");
        }
    }
}
