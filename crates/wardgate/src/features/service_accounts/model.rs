//! What a service account is.

use serde::Serialize;

use crate::kernel::error::FieldFault;
use crate::kernel::ids::ServiceAccountId;
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

/// A machine principal: it has roles and API keys, and nothing to sign in with.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// The stable id (`sub`).
    pub id: ServiceAccountId,
    /// What it is called; unique within the tenant.
    pub name: String,
    /// When it was deactivated; `None` while active.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ServiceAccount {
    /// Whether its keys open anything.
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    pub(crate) fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.as_uuid() }
    }
}

/// A service account as clients see one.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceAccountView {
    id: ServiceAccountId,
    name: String,
    is_active: bool,
    roles: Vec<String>,
    created_at: Timestamp,
}

impl ServiceAccountView {
    /// The view of `account`, which has these roles.
    pub fn new(account: &ServiceAccount, roles: Vec<String>) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            is_active: account.is_active(),
            roles,
            created_at: account.created_at,
        }
    }
}

/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// Checks the name of a service account: as plain as a host name, since it stands in logs and headers.
pub(crate) fn check_name(name: &str) -> Result<(), FieldFault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain) {
        Ok(())
    } else {
        let detail = "must have 1 to 64 of the letters a-z and A-Z, digits, dot, underscore and hyphen";
        Err(FieldFault::new("name", "invalid_name", detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["ci", "Backup.Runner_2", &"x".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", " ", "a b", "a\nb", "é", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
