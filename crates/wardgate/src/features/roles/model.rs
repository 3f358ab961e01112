//! What roles exist, what they allow, and what somebody may do with them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::features::audit::Actor;
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::ApiKeyId;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

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

/// No built-in role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; the built-in roles are user, admin and superadmin")]
pub struct UnknownRole(pub String);

const USER: &[&str] = &[
    "api_keys:read",
    "api_keys:write",
    "email:write",
    "identities:read",
    "identities:write",
    "organizations:read",
    "organizations:write",
    "password:write",
    "profile:read",
    "profile:write",
    "sessions:read",
    "sessions:write",
];
const ADMIN: &[&str] = &[
    "api_keys:read",
    "api_keys:write",
    "audit:read",
    "email:write",
    "identities:read",
    "identities:write",
    "keys:read",
    "keys:write",
    "organizations:read",
    "organizations:write",
    "password:write",
    "profile:read",
    "profile:write",
    "providers:read",
    "providers:write",
    "roles:read",
    "roles:write",
    "service_accounts:read",
    "service_accounts:write",
    "sessions:read",
    "sessions:write",
    "users:read",
    "users:write",
];
const SUPERADMIN: &[&str] = &[
    "api_keys:read",
    "api_keys:write",
    "audit:read",
    "email:write",
    "identities:read",
    "identities:write",
    "keys:read",
    "keys:write",
    "organizations:read",
    "organizations:write",
    "password:write",
    "profile:read",
    "profile:write",
    "providers:read",
    "providers:write",
    "roles:read",
    "roles:write",
    "service_accounts:read",
    "service_accounts:write",
    "sessions:read",
    "sessions:write",
    "tenants:read",
    "tenants:write",
    "users:read",
    "users:write",
];

/// Resources that are Wardgate's own; every other resource is the application's. Those without a route yet are
/// reserved, so that no role of an application turns into power over them later.
const OWN_RESOURCES: &[&str] = &[
    "api_keys",
    "audit",
    "clients",
    "email",
    "factors",
    "identities",
    "keys",
    "organizations",
    "password",
    "profile",
    "providers",
    "roles",
    "service_accounts",
    "sessions",
    "tenants",
    "users",
];

fn is_own(permission: &str) -> bool {
    let resource = permission.split(':').next().unwrap_or_default();
    OWN_RESOURCES.contains(&resource)
}

impl BuiltinRole {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::User, Self::Admin, Self::Superadmin];

    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Superadmin => "superadmin",
        }
    }

    /// What it is for.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::User => {
                "Everybody with an account: the own profile, address, password, providers, sessions and API keys"
            }
            Self::Admin => "Over one tenant, and over every resource of the application",
            Self::Superadmin => "Over all tenants",
        }
    }

    /// What it allows of Wardgate's own, each as `resource:action`, sorted.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::User => USER,
            Self::Admin => ADMIN,
            Self::Superadmin => SUPERADMIN,
        }
    }

    /// Whether it allows `permission`. An admin is over the whole tenant, so over every resource that the
    /// application brings along.
    fn allows(self, permission: &str) -> bool {
        self.permissions().contains(&permission) || (self >= Self::Admin && !is_own(permission))
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
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// One role that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of the three.
    Builtin(BuiltinRole),
    /// One of the tenant's own, with what it allows now.
    Custom { name: String, permissions: Vec<String> },
}

impl Role {
    fn name(&self) -> &str {
        match self {
            Self::Builtin(role) => role.as_str(),
            Self::Custom { name, .. } => name,
        }
    }

    fn allows(&self, permission: &str) -> bool {
        match self {
            Self::Builtin(role) => role.allows(permission),
            Self::Custom { permissions, .. } => permissions.iter().any(|allowed| allowed == permission),
        }
    }

    fn permissions(&self) -> Vec<&str> {
        match self {
            Self::Builtin(role) => role.permissions().to_vec(),
            Self::Custom { permissions, .. } => permissions.iter().map(String::as_str).collect(),
        }
    }
}

/// The roles of one principal, as they are in the store at this request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(Vec<Role>);

impl Roles {
    pub(super) fn new(roles: Vec<Role>) -> Self {
        Self(roles)
    }

    fn at_least(&self, required: BuiltinRole) -> bool {
        self.0.iter().any(|role| matches!(role, Role::Builtin(role) if *role >= required))
    }

    /// Whether the principal may do what the role `required` may: an admin passes where a user does, and where
    /// one of the tenant's own roles is asked for.
    pub fn satisfy(&self, required: &str) -> bool {
        match required.parse() {
            Ok(builtin) => self.at_least(builtin),
            Err(_) => self.at_least(BuiltinRole::Admin) || self.0.iter().any(|role| role.name() == required),
        }
    }

    /// Whether they are an administrator's, or allow what an administrator may not, such as `tenants:write`.
    pub(crate) fn rule(&self) -> bool {
        self.at_least(BuiltinRole::Admin)
            || self.permissions().into_iter().any(|permission| !BuiltinRole::Admin.allows(permission))
    }

    /// Whether any role allows `permission` (`resource:action`).
    pub fn allow(&self, permission: &str) -> bool {
        self.0.iter().any(|role| role.allows(permission))
    }

    /// The highest role that stands over a whole tenant, or over all: what such a role allows has no end, so that no
    /// list of permissions is as much.
    pub(super) fn crown(&self) -> Option<BuiltinRole> {
        [BuiltinRole::Superadmin, BuiltinRole::Admin].into_iter().find(|role| self.at_least(*role))
    }

    /// The roles' names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|role| role.name().to_owned()).collect()
    }

    /// Everything the roles name together, sorted. An admin's power over the application's resources has no end
    /// and is not in it.
    pub fn permissions(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.0.iter().flat_map(Role::permissions).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What a role named `name` allows as far as these roles know it; `None` if it is not one of them.
    fn permissions_of(&self, name: &str) -> Option<Vec<&str>> {
        match name.parse::<BuiltinRole>() {
            Ok(builtin) => Some(builtin.permissions().to_vec()),
            Err(_) => self.0.iter().find(|role| role.name() == name).map(Role::permissions),
        }
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

/// How much of a refused permission is shown back, in characters.
const MAX_SHOWN: usize = 64;

/// A granted or asked-for scope: permissions separated by single spaces (RFC 6749 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Reads a scope; `Err` names the first permission that `allowed` does not hold.
    pub(crate) fn granted(asked: &str, allowed: impl Fn(&str) -> bool) -> Result<Self, String> {
        let mut seen = Vec::new();
        for permission in asked.split(' ') {
            // A repeated one would let a stranger choose how long every token is.
            if !allowed(permission) || check_permission(permission).is_err() || seen.contains(&permission) {
                return Err(permission.chars().take(MAX_SHOWN).collect());
            }
            seen.push(permission);
        }
        Ok(Self(asked.to_owned()))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// Whether it names the permission.
    pub fn contains(&self, permission: &str) -> bool {
        self.0.split(' ').any(|granted| granted == permission)
    }

    /// The permissions it names.
    pub(crate) fn permissions(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|permission| !permission.is_empty())
    }

    /// As it stands in a token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a credential leaves of its owner's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// All of them.
    Nothing,
    /// Those that the scope names.
    Scope(Scope),
    /// Those over the application, and the profile: an API key without scopes. It never reaches passwords, keys,
    /// sessions or administration (S-061).
    Application,
}

impl Limit {
    pub(crate) fn passes(&self, permission: &str) -> bool {
        match self {
            Self::Nothing => true,
            Self::Scope(scope) => scope.contains(permission),
            Self::Application => !is_own(permission) || permission.starts_with("profile:"),
        }
    }
}

/// What a principal may do at this request: what the roles allow, as far as the credential leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The principal's roles now.
    pub roles: Roles,
    /// What the credential leaves of them.
    pub limit: Limit,
}

impl Rights {
    /// Whether the principal may do it.
    pub fn allow(&self, permission: &str) -> bool {
        self.roles.allow(permission) && self.limit.passes(permission)
    }

    /// Refuses unless the roles allow `permission` and the credential leaves it.
    pub fn require(&self, permission: &str) -> Result<(), AuthError> {
        if !self.roles.allow(permission) {
            Err(AuthError::InsufficientPermissions)
        } else if !self.limit.passes(permission) {
            Err(AuthError::InsufficientScope(permission.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Refuses unless the roles satisfy `role`. A role is the bundle of its permissions, so a credential must
    /// leave all of them; of a role that is not the principal's own they are not known, so it must leave everything.
    pub fn require_role(&self, role: &str) -> Result<(), AuthError> {
        if !self.roles.satisfy(role) {
            return Err(AuthError::InsufficientPermissions);
        }
        match self.roles.permissions_of(role) {
            Some(permissions) => permissions.into_iter().try_for_each(|permission| self.require(permission)),
            None if self.limit == Limit::Nothing => Ok(()),
            None => Err(AuthError::InsufficientPermissions),
        }
    }

    /// Everything the principal may do, sorted; see [`Roles::permissions`]. Of a scope it is all that the roles allow,
    /// an admin's power over the application's resources too.
    pub fn permissions(&self) -> Vec<&str> {
        let Limit::Scope(scope) = &self.limit else {
            let named = self.roles.permissions().into_iter();
            return named.filter(|permission| self.limit.passes(permission)).collect();
        };
        let mut left: Vec<_> =
            scope.permissions().filter(|permission| self.roles.allow(permission)).collect();
        left.sort_unstable();
        left.dedup();
        left
    }
}

/// Whose rights bound a change: nobody grants a right they lack, and nobody acts on somebody above them (S-105).
#[derive(Debug, Clone)]
pub enum Authority {
    /// An operator at the machine, who could as well write to the database.
    Operator,
    /// A principal.
    Holder(Rights),
}

impl Authority {
    pub(crate) fn allows(&self, permission: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::Holder(rights) => rights.allow(permission),
        }
    }

    /// Refuses to act on somebody whose `roles` allow what this authority's own roles do not. What the credential
    /// leaves does not count: a key for managing users manages users.
    pub(crate) fn outranks(&self, roles: &Roles) -> Result<(), AuthError> {
        let Self::Holder(own) = self else { return Ok(()) };
        let named = roles.permissions().into_iter().all(|permission| own.roles.allow(permission));
        let above = named && own.roles.crown() >= roles.crown();
        if above { Ok(()) } else { Err(AuthError::InsufficientPermissions) }
    }

    /// Refuses to give anything that this authority lacks, by roles or by credential: whoever is given it could
    /// otherwise be used to reach it.
    pub(crate) fn grants(&self, before: &Roles, after: &Roles) -> Result<(), AuthError> {
        let Self::Holder(own) = self else { return Ok(()) };
        let new = after.permissions().into_iter().filter(|permission| !before.allow(permission));
        let named = new.into_iter().all(|permission| own.allow(permission));
        let crowned = after.crown() > before.crown();
        let may_crown = own.roles.crown() >= after.crown() && own.limit == Limit::Nothing;
        if named && (!crowned || may_crown) { Ok(()) } else { Err(AuthError::InsufficientPermissions) }
    }
}

/// Who makes a change: as whom it is recorded, from where, and what bounds it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whom the audit log names.
    pub actor: Actor,
    /// What they may change.
    pub authority: Authority,
    /// The API key that they make it with, itself or a token for it.
    pub api_key: Option<ApiKeyId>,
    /// Where the request or command comes from.
    pub source: Source,
}

/// One of the tenant's own roles.
#[derive(Debug, Clone, Serialize)]
pub struct CustomRole {
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows, each as `resource:action`, sorted.
    pub permissions: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The most permissions a role has: it is read with every request of its holders.
pub(crate) const MAX_PERMISSIONS: usize = 64;

/// The most roles a principal has.
pub(crate) const MAX_ROLES: usize = 32;

/// The most roles of its own a tenant has.
pub(super) const MAX_CUSTOM_ROLES: usize = 200;

const MAX_WORD: usize = 64;
const MAX_DESCRIPTION: usize = 200;

fn is_word(text: &str, extra: &[u8]) -> bool {
    let first_is_letter = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || extra.contains(&byte);
    first_is_letter && text.len() <= MAX_WORD && text.bytes().all(plain)
}

/// Checks the name of a role of the tenant's own.
pub(crate) fn check_role_name(name: &str) -> Result<(), FieldFault> {
    if BuiltinRole::from_str(name).is_ok() {
        Err(FieldFault::new("name", "reserved", "is the name of a built-in role"))
    } else if is_word(name, b"_-") {
        Ok(())
    } else {
        let detail = "must begin with a letter and have at most 64 of a-z, 0-9, _ and -";
        Err(FieldFault::new("name", "invalid_name", detail))
    }
}

/// Checks that a permission is written `resource:action`, and that there is one of this name if the resource is
/// Wardgate's own: a misspelt one would open nothing, and nobody would know why.
pub(crate) fn check_permission(permission: &str) -> Result<(), FieldFault> {
    let halves = permission.split_once(':');
    let shown = || permission.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect::<String>();
    if is_own(permission) && !SUPERADMIN.contains(&permission) {
        let resource = permission.split(':').next().unwrap_or_default();
        let there: Vec<&str> =
            SUPERADMIN.iter().filter(|known| known.split(':').next() == Some(resource)).copied().collect();
        let remedy = match there.as_slice() {
            [] => format!("{resource} is reserved"),
            there => format!("there are {}", there.join(" and ")),
        };
        let detail = format!("{:?} is no permission of Wardgate's own: {remedy}", shown());
        Err(FieldFault::new("permissions", "unknown_permission", detail))
    } else if halves.is_some_and(|(resource, action)| is_word(resource, b"_-.") && is_word(action, b"_-.")) {
        Ok(())
    } else {
        let detail = format!("{:?} is not written resource:action, each of a-z, 0-9, _, - and .", shown());
        Err(FieldFault::new("permissions", "invalid_permission", detail))
    }
}

/// Checks what a role is described with.
pub(crate) fn check_description(description: &str) -> Result<(), FieldFault> {
    if description.chars().count() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
        let detail =
            format!("must have at most {MAX_DESCRIPTION} characters, none of them a control character");
        Err(FieldFault::new("description", "invalid_description", detail))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BuiltinRole::{Admin, Superadmin, User};

    fn roles(roles: &[BuiltinRole]) -> Roles {
        Roles::new(roles.iter().copied().map(Role::Builtin).collect())
    }

    fn editor() -> Role {
        let permissions = vec!["notes:read".to_owned(), "notes:write".to_owned()];
        Role::Custom { name: "editor".to_owned(), permissions }
    }

    #[test]
    fn each_role_may_do_what_those_below_it_may() {
        for (lower, higher) in [(User, Admin), (Admin, Superadmin)] {
            assert!(lower.permissions().iter().all(|permission| higher.permissions().contains(permission)));
        }
        let admin = roles(&[Admin]);
        assert!(admin.satisfy("user") && admin.satisfy("admin") && !admin.satisfy("superadmin"));
    }

    #[test]
    fn every_permission_of_a_built_in_role_is_of_an_own_resource_and_sorted() {
        for role in BuiltinRole::ALL {
            assert!(role.permissions().iter().all(|permission| is_own(permission)), "{role}");
            assert!(role.permissions().is_sorted(), "{role}");
        }
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        let none = Roles::default();
        assert!(!none.satisfy("user") && !none.allow("profile:read") && none.permissions().is_empty());
        assert!(!none.satisfy("editor") && !none.allow("notes:read"));
    }

    #[test]
    fn an_admin_is_over_the_applications_resources_and_a_user_is_not() {
        assert!(roles(&[Admin]).allow("notes:write") && !roles(&[User]).allow("notes:write"));
        assert!(!roles(&[Admin]).allow("tenants:read") && !roles(&[Admin]).allow("clients:write"));
        let both = Roles::new(vec![Role::Builtin(User), editor()]);
        assert!(both.allow("notes:write") && both.satisfy("editor") && !both.satisfy("admin"));
        assert!(!both.allow("notes:delete") && !both.satisfy("writer"));
    }

    #[test]
    fn a_credential_leaves_what_it_says() {
        // S-061
        let rights = |limit| Rights { roles: Roles::new(vec![Role::Builtin(User), editor()]), limit };
        let key = rights(Limit::Application);
        assert!(key.allow("notes:write") && key.allow("profile:read"));
        for own in ["password:write", "api_keys:write", "sessions:read", "users:read"] {
            assert!(!key.allow(own), "{own}");
        }
        assert!(matches!(key.require("password:write"), Err(AuthError::InsufficientScope(_))));
        assert!(matches!(key.require("users:read"), Err(AuthError::InsufficientPermissions)));
        let scoped = rights(Limit::Scope(Scope::stored("notes:read users:read".to_owned())));
        assert!(scoped.allow("notes:read") && !scoped.allow("notes:write"));
        assert!(!scoped.allow("users:read"), "a scope adds nothing to the roles");
        assert!(scoped.require_role("editor").is_err(), "a role is all of its permissions");
        assert!(rights(Limit::Nothing).require_role("editor").is_ok());
    }

    #[test]
    fn nobody_acts_on_those_above_and_nobody_grants_what_they_lack() {
        // S-105
        let holder = |role, limit| Authority::Holder(Rights { roles: roles(&[role]), limit });
        let admin = holder(Admin, Limit::Nothing);
        let none = Roles::default();
        assert!(admin.outranks(&roles(&[Admin])).is_ok() && admin.outranks(&roles(&[Superadmin])).is_err());
        assert!(holder(User, Limit::Nothing).outranks(&Roles::new(vec![editor()])).is_err());
        assert!(admin.grants(&none, &roles(&[Admin])).is_ok());
        assert!(admin.grants(&none, &roles(&[Superadmin])).is_err());
        assert!(admin.grants(&none, &Roles::new(vec![editor()])).is_ok());
        let whole = BuiltinRole::Admin.permissions().join(" ");
        for scope in ["users:write", &whole] {
            let key = holder(Admin, Limit::Scope(Scope::stored(scope.to_owned())));
            assert!(key.outranks(&roles(&[Admin])).is_ok());
            assert!(key.grants(&none, &roles(&[Admin])).is_err(), "an admin is over more than {scope}");
            assert!(key.grants(&roles(&[Admin]), &roles(&[User])).is_ok(), "taking away grants nothing");
        }
        let operator = Authority::Operator;
        assert!(operator.outranks(&roles(&[Superadmin])).is_ok());
        assert!(operator.grants(&none, &roles(&[Superadmin])).is_ok());
    }

    #[test]
    fn a_scope_is_granted_whole_or_not_at_all() {
        let allowed = |permission: &str| ["a:read", "b:read"].contains(&permission);
        assert!(Scope::granted("a:read b:read", allowed).unwrap().contains("b:read"));
        assert_eq!(Scope::granted("a:read c:read", allowed), Err("c:read".to_owned()));
        assert_eq!(Scope::granted("a:read a:read", allowed), Err("a:read".to_owned()));
        assert_eq!(Scope::granted("a:read  b:read", allowed), Err(String::new()));
        assert_eq!(Scope::granted("<script>", |_| true), Err("<script>".to_owned()));
        assert!(!Scope::stored("a:readwrite".to_owned()).contains("a:read"));
    }

    #[test]
    fn names_read_back_and_others_are_refused() {
        for role in BuiltinRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert!(check_role_name(role.as_str()).is_err());
        }
        for wrong in ["", "Admin", "root", "admin "] {
            assert!(wrong.parse::<BuiltinRole>().is_err(), "{wrong:?}");
        }
        for wrong in ["", "Editor", "1st", "a b", "é", "a:b", &"a".repeat(65)] {
            assert!(check_role_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_role_name("news-editor_2").is_ok());
        for wrong in ["", "notes", "notes:", ":read", "notes:read:all", "Notes:read", "notes read", "*:*"] {
            assert!(check_permission(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_permission("billing.invoices:mark_paid").is_ok());
    }
}
