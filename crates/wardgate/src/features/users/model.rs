//! What a user is.

use serde::Serialize;

use crate::kernel::email::{Email, normalize_identifier};
use crate::kernel::error::FieldFault;
use crate::kernel::ids::UserId;
use crate::kernel::page::Position;
use crate::kernel::time::Timestamp;

/// A human principal.
#[derive(Debug, Clone)]
pub struct User {
    /// The stable id (`sub`).
    pub id: UserId,
    /// Where mail goes; unique within the tenant in its normalised form.
    pub email: Email,
    /// When the address was proven; `None` if it never was.
    pub email_verified_at: Option<Timestamp>,
    /// What the user likes to be called.
    pub name: Option<String>,
    /// When the user was deactivated; `None` while active.
    pub disabled_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl User {
    /// Whether the user may sign in and act.
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    pub(crate) fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.as_uuid() }
    }
}

/// A user as clients see one.
#[derive(Debug, Clone, Serialize)]
pub struct UserView {
    id: UserId,
    email: Email,
    email_verified: bool,
    name: Option<String>,
    is_active: bool,
    roles: Vec<String>,
    created_at: Timestamp,
}

impl UserView {
    /// The view of `user`, who has these roles.
    pub fn new(user: &User, roles: Vec<String>) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            email_verified: user.email_verified_at.is_some(),
            name: user.name.clone(),
            is_active: user.is_active(),
            roles,
            created_at: user.created_at,
        }
    }
}

/// What it takes to make an account, already checked.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address.
    pub email: Email,
    /// What the user likes to be called.
    pub name: Option<String>,
    /// Whether the address counts as proven, as it does for accounts an operator makes.
    pub email_verified: bool,
}

/// Which users a list shows.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Those whose address holds this text, in any case.
    pub email: Option<String>,
    /// Only the active, or only the deactivated.
    pub is_active: Option<bool>,
}

impl UserFilter {
    /// The filter as the pattern of a `LIKE … ESCAPE '!'`: what a stranger types is text, not a pattern.
    pub(super) fn email_pattern(&self) -> String {
        let typed = normalize_identifier(self.email.as_deref().unwrap_or_default());
        let mut pattern = String::from("%");
        for c in typed.chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    }
}

/// The longest name, in characters.
const MAX_NAME: usize = 200;

/// Checks a display name: 1 to 200 characters, no control characters (they would break log lines, S-132).
pub(crate) fn check_name(name: &str) -> Result<(), FieldFault> {
    if name.trim().is_empty() {
        Err(FieldFault::new("name", "too_short", "must not be empty; leave it out instead"))
    } else if name.chars().count() > MAX_NAME {
        Err(FieldFault::new("name", "too_long", format!("must have at most {MAX_NAME} characters")))
    } else if name.chars().any(char::is_control) {
        Err(FieldFault::new("name", "control_character", "must not contain control characters"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_text() {
        let pattern =
            |email: &str| UserFilter { email: Some(email.to_owned()), is_active: None }.email_pattern();
        assert_eq!(pattern("a_b%!@X.org"), "%a!_b!%!!@x.org%");
        assert_eq!(UserFilter::default().email_pattern(), "%%");
    }

    #[test]
    fn names_of_people_pass_and_broken_lines_do_not() {
        for good in ["Ada", "Łukasz O'Neil-Müller", "山田", "😀", &"x".repeat(200)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "   ", "a\nb", "a\u{1b}[31m", "a\u{0}", &"x".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
