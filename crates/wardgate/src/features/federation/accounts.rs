//! Whose account somebody gets whom a provider knows.

use std::sync::Arc;

use wardgate_store::Tx;

use super::model::{Decision, Newcomer, Owner, decide, opens};
use crate::features::audit::{self, Action, Actor, Audit};
use crate::features::identities::{self, NewIdentity};
use crate::features::outbox::{self, Letter};
use crate::features::password::{self, PreparedAccount};
use crate::features::roles;
use crate::features::users::{self, User};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{IdentityId, UserId};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;
use crate::ports::UpstreamIdentity;

/// Somebody as a provider knows them, come back from it in the browser that was sent there. Only
/// `Federation::finish` makes one.
pub(crate) struct UpstreamProof {
    pub(super) provider: String,
    pub(super) identity: UpstreamIdentity,
    /// The address, where it can be one.
    pub(super) email: Option<Email>,
    /// Whether the provider has seen that the address is theirs, and is trusted with addresses.
    pub(super) email_verified: bool,
    pub(super) is_open: bool,
    pub(super) verified_only: bool,
    /// The account that they get if they have none.
    pub(super) account: Option<PreparedAccount>,
    pub(super) link: IdentityId,
    /// Told to the owner of an account that was there before.
    pub(super) notice: Option<Letter>,
    pub(super) audit: Arc<Audit>,
    pub(super) source: Source,
    pub(super) now: Timestamp,
    /// When they proved who they are, where that is known.
    pub(super) proven_at: Option<Timestamp>,
}

/// Whose account it is, and what the way in is worth.
pub(crate) struct Resolved {
    pub(crate) user: User,
    /// Whether it is theirs because of an address alone.
    pub(crate) by_address: bool,
}

impl UpstreamProof {
    /// How the audit log names what was tried.
    pub(crate) fn target(&self) -> String {
        format!("provider:{}", self.provider)
    }

    /// When they proved to the provider who they are, where that is known.
    pub(crate) fn proven_at(&self) -> Option<Timestamp> {
        self.proven_at
    }

    async fn record(&self, tx: &mut Tx, action: Action, user: UserId) -> Result<(), AuthError> {
        let entry = self.audit.done(&self.source, Actor::User(user), action, user);
        Ok(audit::record(tx, &entry).await?)
    }

    /// Links an account that was there before, and tells its owner; the caller has locked it.
    pub(super) async fn add_to(&self, tx: &mut Tx, user: &User, by_address: bool) -> Result<(), AuthError> {
        self.link_to(tx, user.id, by_address).await?;
        tell(tx, self.notice.as_ref(), user).await
    }

    /// Makes a link by an address one that its user made, and tells them as of any other; the caller has locked them.
    pub(super) async fn confirm(&self, tx: &mut Tx, user: &User, link: IdentityId) -> Result<(), AuthError> {
        if identities::confirm(tx, link).await? {
            self.record_link(tx, user.id, link).await?;
            tell(tx, self.notice.as_ref(), user).await?;
        }
        Ok(())
    }

    /// Links the account; the caller has locked it.
    async fn link_to(&self, tx: &mut Tx, user: UserId, by_address: bool) -> Result<(), AuthError> {
        let UpstreamIdentity { issuer, subject, .. } = &self.identity;
        let new = NewIdentity {
            id: self.link,
            user,
            provider: &self.provider,
            issuer,
            subject,
            email: self.email.as_ref().map(Email::as_str),
            by_address,
            now: self.now,
        };
        let link = identities::insert(tx, &new).await?;
        self.record_link(tx, user, link.id).await
    }

    async fn record_link(&self, tx: &mut Tx, user: UserId, link: IdentityId) -> Result<(), AuthError> {
        let entry = self.audit.done(&self.source, Actor::User(user), Action::IdentityLinked, link);
        Ok(audit::record(tx, &entry).await?)
    }
}

/// Mails the owner of an account. An address that was not proven may be a stranger's, who need not hear of it.
pub(super) async fn tell(tx: &mut Tx, notice: Option<&Letter>, owner: &User) -> Result<(), AuthError> {
    match notice {
        Some(notice) if owner.email_verified_at.is_some() => {
            outbox::post(tx, notice, Some(&owner.email)).await
        }
        _ => Ok(()),
    }
}

/// The account of whoever came back: the one that is linked, the one of their address, or a new one.
///
/// # Errors
/// [`AuthError::LinkingRefused`], also for a link that opens the account no more; [`AuthError::RegistrationClosed`]; [`AuthError::IncorrectCredentials`] for an account
/// that nobody may sign in to.
pub(crate) async fn resolve(tx: &mut Tx, proof: &UpstreamProof) -> Result<Resolved, AuthError> {
    let UpstreamIdentity { issuer, subject, .. } = &proof.identity;
    if let Some(link) = identities::find(tx, issuer, subject).await? {
        users::lock(tx, link.user).await?;
        // The link as it is now that nobody else decides about its user: it may have been removed.
        let link = identities::find(tx, issuer, subject).await?.filter(|now| now.user == link.user);
        let link = link.ok_or(AuthError::IncorrectCredentials)?;
        if link.by_address && !opens(true, roles::of(tx, link.user.into()).await?.rule()) {
            return Err(AuthError::LinkingRefused);
        }
        identities::note_use(tx, link.id, proof.now).await?;
        let user = known(tx, proof, link.user).await?;
        return Ok(Resolved { user, by_address: link.by_address });
    }
    let found = match &proof.email {
        Some(email) => users::find_for_sign_in(tx, email.normalized()).await?,
        None => None,
    };
    let owner = match &found {
        Some(user) => {
            users::lock(tx, user.id).await?;
            let rules = roles::of(tx, user.id.into()).await?.rule();
            let user = users::find(tx, user.id).await?;
            user.map(|user| (Owner { email_verified: user.email_verified_at.is_some(), rules }, user))
        }
        None => None,
    };
    let who = Newcomer {
        has_email: proof.email.is_some(),
        email_verified: proof.email_verified,
        owner: owner.as_ref().map(|(owner, _)| *owner),
        is_open: proof.is_open,
        verified_only: proof.verified_only,
    };
    match (decide(who), owner, &proof.account) {
        (Decision::Link, Some((_, user)), _) => {
            proof.add_to(tx, &user, true).await?;
            Ok(Resolved { user: active(user)?, by_address: true })
        }
        (Decision::TakeOver, Some((_, user)), _) => {
            password::take_over_unproven(tx, user.id, proof.now, &proof.audit, &proof.source).await?;
            proof.link_to(tx, user.id, true).await?;
            Ok(Resolved { user: active(user)?, by_address: true })
        }
        (Decision::Create, None, Some(account)) => {
            let account = password::write_account(tx, account).await.map_err(|error| match error {
                // By somebody who came at the same moment; next time it is found.
                AuthError::EmailTaken => AuthError::LinkingRefused,
                other => other,
            })?;
            // Nobody had it before them, so no address gave it to them.
            proof.link_to(tx, account.user.id, false).await?;
            Ok(Resolved { user: account.user, by_address: false })
        }
        (Decision::Closed, _, _) => Err(AuthError::RegistrationClosed),
        _ => Err(AuthError::LinkingRefused),
    }
}

/// The user of a link. What they once were told of by a provider may have changed there; here it has not.
async fn known(tx: &mut Tx, proof: &UpstreamProof, id: UserId) -> Result<User, AuthError> {
    let user = users::find(tx, id).await?.ok_or(AuthError::IncorrectCredentials).and_then(active)?;
    if user.email_verified_at.is_some() || !proof.verified_only {
        return Ok(user);
    }
    let is_theirs = proof.email_verified
        && proof.email.as_ref().is_some_and(|email| email.normalized() == user.email.normalized());
    if !is_theirs {
        return Err(AuthError::IncorrectCredentials);
    }
    users::verify_email(tx, user.id, proof.now).await?;
    proof.record(tx, Action::EmailVerified, user.id).await?;
    Ok(user)
}

fn active(user: User) -> Result<User, AuthError> {
    if user.is_active() { Ok(user) } else { Err(AuthError::IncorrectCredentials) }
}
