//! What an organization is, and who may do what in it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::{InvitationId, OrgId, UserId};
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

/// How long an invitation can be accepted.
pub(super) const INVITATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most members an organization has.
pub(super) const MAX_MEMBERS: i64 = 10_000;
/// The most organizations that one user has made.
pub(super) const MAX_MADE: i64 = 100;
/// The most invitations of an organization that are open.
pub(super) const MAX_INVITATIONS: i64 = 1_000;

const MAX_NAME: usize = 100;

/// A member's place. Ordered: each may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrgRole {
    /// Belongs to it.
    Member,
    /// Invites and removes others.
    Admin,
    /// Over all of it; there is always one.
    Owner,
}

impl OrgRole {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for OrgRole {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

impl fmt::Display for OrgRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for OrgRole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What somebody wants to do in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Look at it and its members.
    Read,
    /// Change its name.
    Update,
    /// See and take back invitations.
    Invitations,
    /// Invite somebody to this place.
    Invite(OrgRole),
    /// Remove somebody who has this place.
    Remove(OrgRole),
    /// Give somebody another place.
    Move { from: OrgRole, to: OrgRole },
    /// Go oneself.
    Leave,
    /// Remove it with everything.
    Delete,
}

/// Whether a member may do it: nobody gives more than they have, and nobody acts on those above (S-105).
pub(super) fn may(role: OrgRole, deed: Deed) -> bool {
    match deed {
        Deed::Read | Deed::Leave => true,
        Deed::Update | Deed::Invitations => role >= OrgRole::Admin,
        Deed::Invite(other) | Deed::Remove(other) => role >= OrgRole::Admin && other <= role,
        Deed::Move { from, to } => role >= OrgRole::Admin && from <= role && to <= role,
        Deed::Delete => role == OrgRole::Owner,
    }
}

/// [`AuthError::InsufficientPermissions`] unless a member with this role may do it.
pub(super) fn require(role: OrgRole, deed: Deed) -> Result<(), AuthError> {
    if may(role, deed) { Ok(()) } else { Err(AuthError::InsufficientPermissions) }
}

/// A named group of users.
#[derive(Debug, Clone, Serialize)]
pub struct Organization {
    /// Its id (`org` in tokens).
    pub id: OrgId,
    /// Its name in addresses, unique in the tenant.
    pub slug: String,
    /// What people see.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user's place in an organization.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The organization.
    pub org: Organization,
    /// The place.
    pub role: OrgRole,
    /// Since when.
    pub since: Timestamp,
}

/// One member, as a row.
#[derive(Debug, Clone)]
pub(super) struct MemberRow {
    pub(super) user: UserId,
    pub(super) role: OrgRole,
    pub(super) since: Timestamp,
}

impl MemberRow {
    pub(super) fn position(&self) -> Position {
        Position { at: self.since, id: self.user.as_uuid() }
    }
}

impl Membership {
    pub(super) fn position(&self) -> Position {
        Position { at: self.since, id: self.org.id.as_uuid() }
    }
}

/// The organization that a session acts in, as its user's place in it is now.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveOrg {
    /// Its id.
    pub id: OrgId,
    /// Its name in addresses.
    pub slug: String,
    /// The user's place.
    pub role: OrgRole,
}

/// An invitation that is open.
#[derive(Debug, Clone, Serialize)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub email: String,
    /// The place that it gives.
    pub role: OrgRole,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What is wrong with a name that people see.
pub(super) fn check_name(name: &str) -> Option<FieldFault> {
    let length = name.chars().count();
    let wrong = name.trim().is_empty() || length > MAX_NAME || name.chars().any(char::is_control);
    let detail = format!("must have 1 to {MAX_NAME} characters, none of them a control character");
    wrong.then(|| FieldFault::new("name", "invalid_name", detail))
}

/// What is wrong with a slug.
pub(super) fn check_slug(slug: &str) -> Option<FieldFault> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let right = (2..=40).contains(&slug.len()) && slug.bytes().all(plain);
    let detail = "must have 2 to 40 of a-z, 0-9 and hyphen";
    (!right).then(|| FieldFault::new("slug", "invalid_slug", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrgRole::{Admin, Member, Owner};

    #[test]
    fn who_may_do_what() {
        // S-105
        for (deed, member, admin) in [
            (Deed::Read, true, true),
            (Deed::Leave, true, true),
            (Deed::Update, false, true),
            (Deed::Invitations, false, true),
            (Deed::Invite(Member), false, true),
            (Deed::Invite(Admin), false, true),
            (Deed::Invite(Owner), false, false),
            (Deed::Remove(Admin), false, true),
            (Deed::Remove(Owner), false, false),
            (Deed::Move { from: Member, to: Admin }, false, true),
            (Deed::Move { from: Member, to: Owner }, false, false),
            (Deed::Move { from: Owner, to: Member }, false, false),
            (Deed::Delete, false, false),
        ] {
            assert_eq!(
                (may(Member, deed), may(Admin, deed), may(Owner, deed)),
                (member, admin, true),
                "{deed:?}"
            );
        }
    }

    #[test]
    fn words_read_back() {
        for role in [Member, Admin, Owner] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("root".parse::<OrgRole>().is_err());
        assert!(check_slug("a-1").is_none() && check_slug("A").is_some() && check_slug("").is_some());
    }
}
