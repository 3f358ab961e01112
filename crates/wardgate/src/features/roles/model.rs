//! What roles exist and what they allow.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A role every tenant has. Ordered: each may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltinRole {
    /// Everybody with an account.
    User,
    /// Over one tenant.
    Admin,
    /// Over all tenants; lives in `default`.
    Superadmin,
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; the roles are user, admin and superadmin")]
pub struct UnknownRole(pub String);

const USER: &[&str] = &["profile:read", "profile:write"];
const ADMIN: &[&str] = &[
    "profile:read",
    "profile:write",
    "audit:read",
    "keys:read",
    "keys:write",
    "roles:read",
    "roles:write",
    "users:read",
    "users:write",
];
const SUPERADMIN: &[&str] = &[
    "profile:read",
    "profile:write",
    "audit:read",
    "keys:read",
    "keys:write",
    "roles:read",
    "roles:write",
    "tenants:read",
    "tenants:write",
    "users:read",
    "users:write",
];

impl BuiltinRole {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Superadmin => "superadmin",
        }
    }

    /// What it allows, each as `resource:action`.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::User => USER,
            Self::Admin => ADMIN,
            Self::Superadmin => SUPERADMIN,
        }
    }
}

impl fmt::Display for BuiltinRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BuiltinRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            "superadmin" => Ok(Self::Superadmin),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// The roles of one principal, as they are in the store at this request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(Vec<BuiltinRole>);

impl Roles {
    pub(super) fn new(roles: Vec<BuiltinRole>) -> Self {
        Self(roles)
    }

    /// Whether the principal may do what `required` may: an admin passes where a user does.
    pub fn satisfy(&self, required: BuiltinRole) -> bool {
        self.0.iter().any(|role| *role >= required)
    }

    /// Whether any role allows `permission` (`resource:action`).
    pub fn allow(&self, permission: &str) -> bool {
        self.0.iter().any(|role| role.permissions().contains(&permission))
    }

    /// The roles' names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Everything the roles allow together, sorted.
    pub fn permissions(&self) -> Vec<&'static str> {
        let mut all: Vec<_> = self.0.iter().flat_map(|role| role.permissions()).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BuiltinRole::{Admin, Superadmin, User};

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        for (lower, higher) in [(User, Admin), (Admin, Superadmin)] {
            assert!(lower.permissions().iter().all(|permission| higher.permissions().contains(permission)));
        }
        let admin = Roles::new(vec![Admin]);
        assert!(admin.satisfy(User) && admin.satisfy(Admin) && !admin.satisfy(Superadmin));
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        let none = Roles::default();
        assert!(!none.satisfy(User) && !none.allow("profile:read") && none.permissions().is_empty());
    }

    #[test]
    fn names_read_back_and_others_are_refused() {
        for role in [User, Admin, Superadmin] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for wrong in ["", "Admin", "root", "admin "] {
            assert!(wrong.parse::<BuiltinRole>().is_err(), "{wrong:?}");
        }
    }
}
