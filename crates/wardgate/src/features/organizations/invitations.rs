//! Invitations: bound to an address, good once, for a week.

use std::time::Duration;

use wardgate_crypto::{Digest, OpaqueToken};
use zeroize::Zeroizing;

use super::model::{
    Deed, INVITATION_LIFE, Invitation, MAX_INVITATIONS, MAX_MEMBERS, Membership, OrgRole, may,
};
use super::service::{Organizations, lock, place};
use super::store;
use crate::features::audit::{self, Action};
use crate::features::limits::Route;
use crate::features::outbox::{self, Letter, LetterKind};
use crate::features::users::{self, User};
use crate::kernel::email::Email;
use crate::kernel::error::AuthError;
use crate::kernel::ids::{InvitationId, OrgId, TenantId, UserId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;
use crate::kernel::tenant::CurrentTenant;
use crate::ports::ephemeral::Limit;

/// Invitations mailed to one address, an hour. They count apart from the mails that the address asks for itself, which
/// whoever invites must not use up.
const INVITATIONS_PER_RECIPIENT: Limit = Limit { name: "invitation_recipient", requests: 5, window: HOUR };

/// Invitations mailed by one user, an hour: who has an account must not send mails to everybody.
const MAILS_PER_SENDER: Limit = Limit { name: "invitation_sender", requests: 100, window: HOUR };

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What an invitation's token begins with, so that secret scanners recognise it.
const PREFIX: &str = "wgi";

impl Organizations {
    /// Invites an address. Where there is mail, it gets a link that accepts; else the token is given here, to be handed
    /// on. It exists nowhere else. One that the address has already ends.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for a place above one's own; [`AuthError::TooManyInvitations`];
    /// [`AuthError::RateLimited`] when the address got enough mails.
    pub async fn invite(
        &self,
        tenant: &CurrentTenant,
        user: UserId,
        org: OrgId,
        email: Email,
        role: OrgRole,
        source: &Source,
    ) -> Result<(Invitation, Option<Zeroizing<String>>), AuthError> {
        let now = self.env.now();
        let token = OpaqueToken::generate(PREFIX, self.env.rng.as_ref());
        let invitation = Invitation {
            id: InvitationId::new(now, self.env.random()),
            email: email.as_str().to_owned(),
            role,
            created_at: now,
            expires_at: now.plus(INVITATION_LIFE),
        };
        let letter = match self.links.outbox().is_on() {
            true => {
                // Whoever may not invite uses up nobody's mails.
                self.may_invite(tenant.id, user, org, role).await?;
                Some(self.letter(tenant, user, &invitation, &email, &token, source).await?)
            }
            false => None,
        };
        let is_mailed = letter.is_some();
        let entry = self.entry(user, Action::InvitationCreated, org, source);
        let input = (org, user, invitation, email, token.digest(), letter, entry);
        let made = self.env.db.write(tenant.id.into(), input, |tx, input| {
            Box::pin(async move {
                let (org, user, invitation, email, digest, letter, entry) = input;
                lock(tx, *org).await?;
                place(tx, *org, *user, Deed::Invite(invitation.role)).await?;
                // Taking the place of one is taking it back.
                if let Some(role) = store::place_by_email(tx, *org, email.normalized()).await? {
                    place(tx, *org, *user, Deed::Invite(role)).await?;
                }
                if store::count_invitations(tx, *org, invitation.created_at).await? >= MAX_INVITATIONS {
                    return Err(AuthError::TooManyInvitations);
                }
                store::invite(tx, *org, invitation, email, *user, *digest).await?;
                if let Some(letter) = letter {
                    outbox::post(tx, letter, Some(email)).await?;
                }
                audit::record(tx, entry).await?;
                Ok(invitation.clone())
            })
        });
        Ok((made.await?, (!is_mailed).then(|| token.reveal())))
    }

    async fn may_invite(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        role: OrgRole,
    ) -> Result<(), AuthError> {
        let found = self.env.db.read(tenant.into(), (user, org, role), |tx, (user, org, role)| {
            Box::pin(async move { place(tx, *org, *user, Deed::Invite(*role)).await.map(drop) })
        });
        found.await
    }

    /// The mail with the link. Nobody fills a stranger's mailbox with them.
    async fn letter(
        &self,
        tenant: &CurrentTenant,
        user: UserId,
        invitation: &Invitation,
        to: &Email,
        token: &OpaqueToken,
        source: &Source,
    ) -> Result<Letter, AuthError> {
        self.limits.admit(tenant, Route::Mail, source).await?;
        self.limits.take(tenant.id, MAILS_PER_SENDER, user.as_uuid().as_bytes(), source).await?;
        self.limits.take(tenant.id, INVITATIONS_PER_RECIPIENT, to.normalized().as_bytes(), source).await?;
        let link = self.links.to_organization(tenant, &token.reveal());
        let link = Some((link.as_str(), INVITATION_LIFE));
        self.links.outbox().letter(tenant, LetterKind::OrgInvitation, invitation.id, link, source.language)
    }

    /// A page of the invitations that can be accepted, newest first, and where the next one begins.
    pub async fn invitations(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        page: PageRequest,
    ) -> Result<(Vec<Invitation>, Option<Position>), AuthError> {
        let input = (org, user, page, self.env.now());
        let rows = self.env.db.read(tenant.into(), input, |tx, (org, user, page, now)| {
            Box::pin(async move {
                place(tx, *org, *user, Deed::Invitations).await?;
                let rows = store::invitations(tx, *org, *now, page.start(), page.fetch()).await?;
                Ok::<_, AuthError>(rows)
            })
        });
        let position =
            |invitation: &Invitation| Position { at: invitation.created_at, id: invitation.id.as_uuid() };
        Ok(page.split(rows.await?, position))
    }

    /// Takes an invitation back.
    pub async fn uninvite(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        id: InvitationId,
        source: &Source,
    ) -> Result<(), AuthError> {
        let entry = self.entry(user, Action::InvitationRevoked, org, source);
        let taken = self.env.db.write(tenant.into(), (org, user, id, entry), |tx, (org, user, id, entry)| {
            Box::pin(async move {
                place(tx, *org, *user, Deed::Invitations).await?;
                let role = store::place_by_id(tx, *org, *id).await?.ok_or(AuthError::NotFound)?;
                place(tx, *org, *user, Deed::Invite(role)).await?;
                if !store::uninvite(tx, *org, *id).await? {
                    return Err(AuthError::NotFound);
                }
                Ok(audit::record(tx, entry).await?)
            })
        });
        taken.await
    }

    /// Accepts an invitation as the user whose address it names.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], alike for one that is unknown, used, ended or another's.
    pub async fn accept(
        &self,
        tenant: TenantId,
        user: &User,
        token: &str,
        source: &Source,
    ) -> Result<Membership, AuthError> {
        self.limits.admit_token(tenant, source)?;
        let joined = match OpaqueToken::parse(PREFIX, token) {
            Some(token) => self.join(tenant, user, token.digest(), source).await,
            None => Err(AuthError::InvalidToken),
        };
        if matches!(joined, Err(AuthError::InvalidToken)) {
            self.limits.note_bad_token(tenant, "invitation", source);
        }
        joined
    }

    async fn join(
        &self,
        tenant: TenantId,
        user: &User,
        digest: Digest,
        source: &Source,
    ) -> Result<Membership, AuthError> {
        let (audit, source) = (std::sync::Arc::clone(&self.audit), source.clone());
        let input = (user.clone(), digest, self.env.now(), audit, source);
        let accepted = self.env.db.write(tenant.into(), input, |tx, (user, digest, now, audit, source)| {
            Box::pin(async move {
                users::lock(tx, user.id).await?;
                users::find(tx, user.id).await?.ok_or(AuthError::InvalidToken)?;
                let offer = store::offer(tx, *digest, *now).await?.ok_or(AuthError::InvalidToken)?;
                if offer.email_normalized != user.email.normalized() {
                    return Err(AuthError::InvalidToken);
                }
                lock(tx, offer.org).await?;
                // Whoever was removed or demoted since has nothing to give any more (S-106).
                let inviter = store::membership(tx, offer.org, offer.invited_by).await?;
                if !inviter.is_some_and(|inviter| may(inviter.role, Deed::Invite(offer.role))) {
                    return Err(AuthError::InvalidToken);
                }
                if !store::take(tx, *digest).await? {
                    return Err(AuthError::InvalidToken);
                }
                if store::count_members(tx, offer.org).await? >= MAX_MEMBERS {
                    return Err(AuthError::TooManyMembers);
                }
                store::join(tx, offer.org, user.id, offer.role, *now).await?;
                let entry = audit.done(
                    source,
                    crate::features::audit::Actor::User(user.id),
                    Action::InvitationAccepted,
                    offer.org,
                );
                audit::record(tx, &entry).await?;
                place(tx, offer.org, user.id, Deed::Read).await
            })
        });
        accepted.await
    }
}
