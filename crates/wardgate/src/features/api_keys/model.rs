//! What an API key is, whether it opens anything, and who may make one.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::features::principals::Standing;
use crate::features::roles::{Authority, Limit, Roles, Scope, check_permission};
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::ApiKeyId;
use crate::kernel::network::Network;
use crate::kernel::page::Position;
use crate::kernel::principal::Subject;
use crate::kernel::time::Timestamp;

/// The most live keys an owner has.
pub(super) const MAX_KEYS: usize = 100;
/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// The most scopes a key has: they are compared with every request.
const MAX_SCOPES: usize = 64;
/// The most networks a key has.
const MAX_NETWORKS: usize = 32;

/// How often a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// This often …
    pub requests: u32,
    /// … in so many seconds, at most a day.
    pub seconds: u32,
}

/// The span of a quota, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first to the first.
    Month,
}

/// How much a key may be used in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// This often …
    pub requests: u64,
    /// … in each of these.
    pub period: Period,
}

impl Quota {
    /// What is already used up.
    pub(super) const NONE: Self = Self { requests: 0, period: Period::Day };
}

impl Period {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the period that `now` lies in began, and when it ends.
    pub(super) fn around(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Day => now.utc_day(),
            Self::Month => now.utc_month(),
        }
    }
}

impl FromStr for Period {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Day, Self::Month].into_iter().find(|period| period.as_str() == text).ok_or(())
    }
}

/// A key as it lies in the table: everything but its secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id, which also stands in its text.
    pub id: ApiKeyId,
    /// Whose it is.
    pub owner: Subject,
    /// What the owner calls it.
    pub name: String,
    /// What it is limited to; `None` leaves all but Wardgate's own resources.
    pub scopes: Option<Scope>,
    /// Where it may be used; anywhere if there are none.
    pub networks: Vec<Network>,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
    /// How much it may be used in all.
    pub quota: Option<Quota>,
    /// What of the quota was used, and since when that counts.
    pub(super) used: Used,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was given a successor.
    pub replaced_at: Option<Timestamp>,
    /// When it was last used; up to a second late.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_used_address: Option<String>,
}

/// A key as its owner sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// What the key begins with, to find it again by.
    prefix: String,
    scopes: Option<Vec<String>>,
    networks: Vec<String>,
    rate_limit: Option<RateLimit>,
    quota: Option<Quota>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    replaced_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    last_used_address: Option<String>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            prefix: key.prefix(),
            name: key.name,
            scopes: key.scopes.map(|scope| scope.permissions().map(str::to_owned).collect()),
            networks: key.networks.iter().map(ToString::to_string).collect(),
            rate_limit: key.rate_limit,
            quota: key.quota,
            created_at: key.created_at,
            expires_at: key.expires_at,
            replaced_at: key.replaced_at,
            last_used_at: key.last_used_at,
            last_used_address: key.last_used_address,
        }
    }
}

/// What of a quota was used in the period that began at `since`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) since: Option<Timestamp>,
    pub(super) requests: u64,
}

impl ApiKey {
    /// What its text begins with, to find it again by.
    pub fn prefix(&self) -> String {
        self.id.to_string().replacen("key_", "wgk_", 1)
    }

    /// Whether it opens anything at `now`: it ends at its stated second.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// What of its owner's rights it leaves.
    fn limit(&self) -> Limit {
        self.scopes.clone().map_or(Limit::Application, Limit::Scope)
    }

    /// Whether it may be used from `address`; with networks, never from nowhere.
    pub(super) fn admits(&self, address: Option<IpAddr>) -> bool {
        let inside = |address: IpAddr| self.networks.iter().any(|network| network.contains(address));
        self.networks.is_empty() || address.is_some_and(inside)
    }

    /// What it is worth as a credential.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        Standing {
            owner: self.owner,
            live: self.is_live(now),
            ended_by_disabling: false,
            limit: self.limit(),
            proven_at: None,
            org: None,
        }
    }

    /// Refuses to let this key, as a credential, have `key` made, or left, as it is there: a key's bounds hold for all
    /// that it brings about, or it would shed them (S-061, S-066). Rates and networks cannot be shared out among
    /// several, so that a key with any makes none; and none lives longer than the key it comes from.
    pub(super) fn may_leave(&self, key: &Self) -> Result<(), AuthError> {
        let bounded = !self.networks.is_empty() || self.rate_limit.is_some() || self.quota.is_some();
        let outlived = self.expires_at.is_some_and(|end| key.expires_at.is_none_or(|other| other > end));
        if bounded || outlived { Err(AuthError::InsufficientPermissions) } else { Ok(()) }
    }

    /// Refuses once the quota is used up; `Err` says when there is more. `pending` are uses that are not in the
    /// table yet.
    pub(super) fn check_quota(&self, pending: u64, now: Timestamp) -> Result<(), Duration> {
        let Some(Quota { requests, period }) = self.quota else { return Ok(()) };
        let (since, end) = period.around(now);
        let stored = if self.used.since == Some(since) { self.used.requests } else { 0 };
        if stored.saturating_add(pending) < requests { Ok(()) } else { Err(end.since(now)) }
    }

    pub(super) fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.as_uuid() }
    }
}

/// What a key is to be; what is `None` stays as it is, or is left open in a new key.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyChange {
    /// What the owner calls it.
    pub name: Option<String>,
    /// Permissions; `Some(None)` leaves all but Wardgate's own resources.
    pub scopes: Option<Option<Vec<String>>>,
    /// When it ends; `Some(None)` never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Where it may be used, as addresses or CIDR ranges; `Some(None)` anywhere.
    pub networks: Option<Option<Vec<String>>>,
    /// How often it may be used.
    pub rate_limit: Option<Option<RateLimit>>,
    /// How much it may be used in all.
    pub quota: Option<Option<Quota>>,
}

impl ApiKeyChange {
    /// Applies the change, or names all that is wrong with it.
    pub(super) fn apply(self, key: &mut ApiKey, now: Timestamp) -> Result<(), AuthError> {
        let mut faults = Vec::new();
        if let Some(name) = self.name {
            faults.extend(check_name(&name).err());
            key.name = name;
        }
        if let Some(scopes) = self.scopes {
            match scopes.as_deref().map(read_scopes).transpose() {
                Ok(scopes) => key.scopes = scopes,
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(expires_at) = self.expires_at {
            if expires_at.is_some_and(|end| end <= now) {
                faults.push(FieldFault::new("expires_at", "in_the_past", "must lie in the future"));
            }
            let later = expires_at.is_none_or(|end| key.expires_at.is_some_and(|stated| end > stated));
            if key.replaced_at.is_some() && later {
                let detail = "the key has a successor, and its end stands: it can only come earlier";
                faults.push(FieldFault::new("expires_at", "replaced", detail));
            }
            key.expires_at = expires_at;
        }
        if let Some(networks) = self.networks {
            match read_networks(&networks.unwrap_or_default()) {
                Ok(networks) => key.networks = networks,
                Err(fault) => faults.push(fault),
            }
        }
        key.rate_limit = self.rate_limit.unwrap_or(key.rate_limit);
        key.quota = self.quota.unwrap_or(key.quota);
        if faults.is_empty() { Ok(()) } else { Err(AuthError::InvalidFields(faults)) }
    }
}

fn check_name(name: &str) -> Result<(), FieldFault> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > MAX_NAME || name.chars().any(char::is_control) {
        let detail = format!("must have 1 to {MAX_NAME} characters, none of them a control character");
        Err(FieldFault::new("name", "invalid_name", detail))
    } else {
        Ok(())
    }
}

fn read_scopes(scopes: &[String]) -> Result<Scope, FieldFault> {
    let fault = |code, detail: String| Err(FieldFault::new("scopes", code, detail));
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        let detail = format!("must name 1 to {MAX_SCOPES} permissions, or be left out");
        return fault("out_of_range", detail);
    }
    for (index, scope) in scopes.iter().enumerate() {
        if let Err(FieldFault { code, detail, .. }) = check_permission(scope) {
            return fault(code, detail);
        }
        if scopes[..index].contains(scope) {
            return fault("duplicate", format!("{scope} stands twice"));
        }
    }
    Ok(Scope::stored(scopes.join(" ")))
}

fn read_networks(networks: &[String]) -> Result<Vec<Network>, FieldFault> {
    if networks.len() > MAX_NETWORKS {
        let detail = format!("must be at most {MAX_NETWORKS}");
        return Err(FieldFault::new("networks", "too_many", detail));
    }
    let read = |text: &String| {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        text.parse().map_err(|why| FieldFault::new("networks", "invalid_network", format!("{shown:?} {why}")))
    };
    networks.iter().map(read).collect()
}

/// Refuses a key that could do what `authority` may not: by its scopes, or because it has none. A limited credential
/// must name what its child may do, within its own (S-061).
pub(super) fn may_mint(authority: &Authority, scopes: Option<&Scope>) -> Result<(), AuthError> {
    let allowed = match (authority, scopes) {
        (Authority::Operator, _) => true,
        (Authority::Holder(rights), Some(scope)) => scope.permissions().all(|p| rights.limit.passes(p)),
        (Authority::Holder(rights), None) => rights.limit == Limit::Nothing,
    };
    if allowed { Ok(()) } else { Err(AuthError::InsufficientPermissions) }
}

/// Refuses scopes that the owner's roles do not allow now.
pub(super) fn within_roles(roles: &Roles, scopes: Option<&Scope>) -> Result<(), AuthError> {
    let refused = scopes.and_then(|scope| scope.permissions().find(|permission| !roles.allow(permission)));
    refused.map_or(Ok(()), |_| Err(AuthError::InsufficientPermissions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::roles::Rights;
    use crate::kernel::ids::UserId;
    use uuid::Uuid;

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_uuid(Uuid::nil()),
            owner: UserId::from_uuid(Uuid::nil()).into(),
            name: "ci".to_owned(),
            scopes: None,
            networks: Vec::new(),
            rate_limit: None,
            quota: None,
            used: Used::default(),
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            revoked_at: None,
            replaced_at: None,
            last_used_at: None,
            last_used_address: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_ends_at_its_stated_second() {
        // S-066
        let end = at("2026-03-01T00:00:00Z");
        let ending = ApiKey { expires_at: Some(end), ..key() };
        assert!(ending.is_live(end.minus(Duration::from_millis(1))) && !ending.is_live(end));
        assert!(!ApiKey { revoked_at: Some(end), ..key() }.is_live(at("2020-01-01T00:00:00Z")));
    }

    #[test]
    fn networks_hold_by_whatever_spelling() {
        // S-066
        let networks = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let bound = ApiKey { networks, ..key() };
        for (address, admitted) in [
            ("10.9.8.7", true),
            ("::ffff:10.9.8.7", true),
            ("11.0.0.1", false),
            ("2001:db8::5", true),
            ("::1", false),
        ] {
            assert_eq!(bound.admits(Some(address.parse().unwrap())), admitted, "{address}");
        }
        assert!(!bound.admits(None) && key().admits(None));
    }

    #[test]
    fn a_quota_is_of_its_calendar_period() {
        let quota = |period| Some(Quota { requests: 10, period });
        let (morning, night) = (at("2026-02-28T00:00:00Z"), at("2026-02-28T23:59:59Z"));
        let used = Used { since: Some(morning), requests: 8 };
        let day = ApiKey { quota: quota(Period::Day), used, ..key() };
        assert_eq!(day.check_quota(1, night), Ok(()));
        assert_eq!(day.check_quota(2, night), Err(Duration::from_secs(1)));
        assert_eq!(day.check_quota(9, at("2026-03-01T00:00:00Z")), Ok(()));
        let used = Used { since: Some(at("2026-02-01T00:00:00Z")), requests: 10 };
        let month = ApiKey { quota: quota(Period::Month), used, ..key() };
        assert_eq!(month.check_quota(0, morning), Err(Duration::from_secs(24 * 60 * 60)));
        assert_eq!(month.check_quota(0, at("2026-03-01T00:00:00Z")), Ok(()));
    }

    #[test]
    fn a_limited_credential_mints_nothing_wider() {
        // S-061
        let scope = |text: &str| Some(Scope::stored(text.to_owned()));
        let holder = |limit| Authority::Holder(Rights { roles: Roles::default(), limit });
        let scoped = holder(Limit::Scope(Scope::stored("api_keys:write notes:read".to_owned())));
        assert!(may_mint(&scoped, scope("notes:read").as_ref()).is_ok());
        assert!(may_mint(&scoped, scope("notes:read notes:write").as_ref()).is_err());
        assert!(may_mint(&scoped, None).is_err());
        assert!(may_mint(&holder(Limit::Nothing), None).is_ok());
        assert!(may_mint(&holder(Limit::Application), scope("notes:read").as_ref()).is_ok());
        assert!(may_mint(&holder(Limit::Application), scope("password:write").as_ref()).is_err());
        assert!(within_roles(&Roles::default(), scope("notes:read").as_ref()).is_err());
    }
}
