//! Makes and changes organizations, and who belongs to them.

use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::{
    ActiveOrg, Deed, MAX_MADE, Membership, OrgRole, Organization, check_name, check_slug, require,
};
use super::store;
use crate::environment::Environment;
use crate::features::audit::{self, Action, Actor, Audit, Entry};
use crate::features::limits::Limits;
use crate::features::links::Links;
use crate::features::users::{self, User};
use crate::kernel::error::AuthError;
use crate::kernel::ids::{OrgId, TenantId, UserId};
use crate::kernel::page::{PageRequest, Position};
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// The organizations of all tenants.
pub struct Organizations {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    pub(super) limits: Arc<Limits>,
    pub(super) links: Arc<Links>,
}

/// A member with their place.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The user.
    pub user: User,
    /// The place.
    pub role: OrgRole,
    /// Since when.
    pub since: Timestamp,
}

/// Removes some of what is the tenant's, as when it goes; how many rows.
pub(crate) async fn forget(tx: &mut Tx, limit: i64) -> Result<u64, StoreError> {
    store::forget(tx, limit).await
}

/// Takes back every invitation of the tenant, as an older state of the database is put back; how many.
pub(crate) async fn end_invitations(tx: &mut Tx) -> Result<u64, StoreError> {
    store::uninvite_everybody(tx).await
}

/// Sees to it that no organization is left without an owner when the user goes: the admin or member who has been there
/// longest takes over, and where there is nobody else the organization goes as well.
pub(crate) async fn leave_all(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    for org in store::sole_owned(tx, user).await? {
        lock(tx, org).await?;
        match store::heir(tx, org, user).await? {
            Some(heir) => store::set_role(tx, org, heir, OrgRole::Owner).await?,
            None => store::delete(tx, org).await?,
        }
    }
    Ok(())
}

/// The user's place in the organization now; `None` if they have none.
pub(crate) async fn active(tx: &mut Tx, org: OrgId, user: UserId) -> Result<Option<ActiveOrg>, StoreError> {
    let found = store::membership(tx, org, user).await?;
    Ok(found.map(|Membership { org, role, .. }| ActiveOrg { id: org.id, slug: org.slug, role }))
}

/// The user's place, if it lets them do this. For whoever has none there is no such organization (S-102).
pub(super) async fn place(
    tx: &mut Tx,
    org: OrgId,
    user: UserId,
    deed: Deed,
) -> Result<Membership, AuthError> {
    let membership = store::membership(tx, org, user).await?.ok_or(AuthError::NotFound)?;
    require(membership.role, deed)?;
    Ok(membership)
}

/// Lets one transaction at a time decide who belongs to it.
pub(super) async fn lock(tx: &mut Tx, org: OrgId) -> Result<(), StoreError> {
    tx.lock(&format!("organization/{org}")).await
}

/// Refuses to leave an organization without an owner.
async fn keep_an_owner(tx: &mut Tx, org: OrgId, leaving: OrgRole) -> Result<(), AuthError> {
    if leaving == OrgRole::Owner && store::count_owners(tx, org).await? < 2 {
        return Err(AuthError::LastOwner);
    }
    Ok(())
}

impl Organizations {
    pub(crate) fn new(
        env: Arc<Environment>,
        audit: Arc<Audit>,
        limits: Arc<Limits>,
        links: Arc<Links>,
    ) -> Self {
        Self { env, audit, limits, links }
    }

    pub(super) fn entry(&self, user: UserId, action: Action, org: OrgId, source: &Source) -> Entry {
        self.audit.done(source, Actor::User(user), action, org)
    }

    /// Makes an organization; whoever makes it is its owner.
    ///
    /// # Errors
    /// [`AuthError::SlugTaken`]; [`AuthError::TooManyOrganizations`]; [`AuthError::InvalidFields`].
    pub async fn create(
        &self,
        tenant: TenantId,
        user: UserId,
        slug: &str,
        name: &str,
        source: &Source,
    ) -> Result<Membership, AuthError> {
        let faults: Vec<_> = check_slug(slug).into_iter().chain(check_name(name)).collect();
        if !faults.is_empty() {
            return Err(AuthError::InvalidFields(faults));
        }
        let now = self.env.now();
        let id = OrgId::new(now, self.env.random());
        let org = Organization { id, slug: slug.to_owned(), name: name.to_owned(), created_at: now };
        let entry = self.entry(user, Action::OrganizationCreated, id, source);
        let made = self.env.db.write(tenant.into(), (org, user, entry), |tx, (org, user, entry)| {
            Box::pin(async move {
                users::lock(tx, *user).await?;
                if store::count_made(tx, *user).await? >= MAX_MADE {
                    return Err(AuthError::TooManyOrganizations);
                }
                store::insert(tx, org, *user).await.map_err(slug_taken)?;
                store::join(tx, org.id, *user, OrgRole::Owner, org.created_at).await?;
                audit::record(tx, entry).await?;
                place(tx, org.id, *user, Deed::Read).await
            })
        });
        made.await
    }

    /// A page of the organizations that the user belongs to, newest first, and where the next one begins.
    pub async fn list(
        &self,
        tenant: TenantId,
        user: UserId,
        page: PageRequest,
    ) -> Result<(Vec<Membership>, Option<Position>), AuthError> {
        let rows = self.env.db.read(tenant.into(), (user, page), |tx, (user, page)| {
            Box::pin(async move {
                Ok::<_, AuthError>(store::of_user(tx, *user, page.start(), page.fetch()).await?)
            })
        });
        Ok(page.split(rows.await?, Membership::position))
    }

    /// The organization with the user's place in it; [`AuthError::NotFound`] for others.
    pub async fn get(&self, tenant: TenantId, user: UserId, org: OrgId) -> Result<Membership, AuthError> {
        let found = self
            .env
            .db
            .read(tenant.into(), (org, user), |tx, (org, user)| Box::pin(place(tx, *org, *user, Deed::Read)));
        found.await
    }

    /// Gives it another name.
    pub async fn rename(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        name: &str,
        source: &Source,
    ) -> Result<Membership, AuthError> {
        if let Some(fault) = check_name(name) {
            return Err(AuthError::InvalidFields(vec![fault]));
        }
        let entry = self.entry(user, Action::OrganizationUpdated, org, source);
        let input = (org, user, name.to_owned(), entry);
        let renamed = self.env.db.write(tenant.into(), input, |tx, (org, user, name, entry)| {
            Box::pin(async move {
                place(tx, *org, *user, Deed::Update).await?;
                store::rename(tx, *org, name).await?;
                audit::record(tx, entry).await?;
                place(tx, *org, *user, Deed::Read).await
            })
        });
        renamed.await
    }

    /// Removes it with its memberships and invitations.
    pub async fn delete(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        source: &Source,
    ) -> Result<(), AuthError> {
        let entry = self.entry(user, Action::OrganizationDeleted, org, source);
        let deleted = self.env.db.write(tenant.into(), (org, user, entry), |tx, (org, user, entry)| {
            Box::pin(async move {
                lock(tx, *org).await?;
                place(tx, *org, *user, Deed::Delete).await?;
                store::delete(tx, *org).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        deleted.await
    }

    /// A page of its members, newest first, and where the next one begins.
    pub async fn members(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        page: PageRequest,
    ) -> Result<(Vec<Seat>, Option<Position>), AuthError> {
        let rows = self.env.db.read(tenant.into(), (org, user, page), |tx, (org, user, page)| {
            Box::pin(async move {
                place(tx, *org, *user, Deed::Read).await?;
                let rows = store::members(tx, *org, page.start(), page.fetch()).await?;
                let ids: Vec<_> = rows.iter().map(|row| row.user).collect();
                let mut known = users::find_all(tx, &ids).await?;
                let seat = |row: super::model::MemberRow| {
                    let position = row.position();
                    let user = known.remove(&row.user)?;
                    Some((Seat { user, role: row.role, since: row.since }, position))
                };
                Ok::<_, AuthError>(rows.into_iter().filter_map(seat).collect::<Vec<_>>())
            })
        });
        let (seats, next) = page.split(rows.await?, |(_, position)| *position);
        Ok((seats.into_iter().map(|(seat, _)| seat).collect(), next))
    }

    /// Gives a member another place.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for a place above one's own, or somebody who has one;
    /// [`AuthError::LastOwner`]; [`AuthError::NotFound`].
    pub async fn set_role(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        member: UserId,
        role: OrgRole,
        source: &Source,
    ) -> Result<(), AuthError> {
        let entry = self.entry(user, Action::MembershipChanged, org, source);
        let input = (org, user, member, role, entry);
        let changed = self.env.db.write(tenant.into(), input, |tx, (org, user, member, role, entry)| {
            Box::pin(async move {
                lock(tx, *org).await?;
                place(tx, *org, *user, Deed::Update).await?;
                let from = store::membership(tx, *org, *member).await?.ok_or(AuthError::NotFound)?.role;
                place(tx, *org, *user, Deed::Move { from, to: *role }).await?;
                if *role != OrgRole::Owner {
                    keep_an_owner(tx, *org, from).await?;
                }
                store::set_role(tx, *org, *member, *role).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        changed.await
    }

    /// Removes a member, or leaves oneself.
    ///
    /// # Errors
    /// As [`set_role`](Self::set_role).
    pub async fn remove(
        &self,
        tenant: TenantId,
        user: UserId,
        org: OrgId,
        member: UserId,
        source: &Source,
    ) -> Result<(), AuthError> {
        let entry = self.entry(user, Action::MembershipEnded, org, source);
        let removed = self.env.db.write(tenant.into(), (org, user, member, entry), |tx, input| {
            Box::pin(async move {
                let (org, user, member, entry) = input;
                lock(tx, *org).await?;
                place(tx, *org, *user, Deed::Read).await?;
                let role = store::membership(tx, *org, *member).await?.ok_or(AuthError::NotFound)?.role;
                let deed = if user == member { Deed::Leave } else { Deed::Remove(role) };
                place(tx, *org, *user, deed).await?;
                keep_an_owner(tx, *org, role).await?;
                store::part(tx, *org, *member).await?;
                Ok(audit::record(tx, entry).await?)
            })
        });
        removed.await
    }
}

fn slug_taken(error: StoreError) -> AuthError {
    match error {
        StoreError::Constraint(constraint) if constraint.is("organizations", &["slug"]) => {
            AuthError::SlugTaken
        }
        other => other.into(),
    }
}
