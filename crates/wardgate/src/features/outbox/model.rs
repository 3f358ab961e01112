//! Which mails there are, and when one is tried again.

use std::time::Duration;

use crate::kernel::time::Timestamp;

/// How long a mail is tried at most.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long whoever took a mail has to send it; then it is anybody's again. Longer than a conversation with the mail
/// server may take, or a slow one would be sent twice.
pub(super) const LEASE: Duration = Duration::from_secs(5 * 60);

/// How long one conversation may take.
pub(super) const LONGEST_SEND: Duration = Duration::from_secs(60);

const FIRST_DELAY: Duration = Duration::from_secs(10);
const LONGEST_DELAY: Duration = Duration::from_secs(30 * 60);

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LetterKind {
    /// Asks for a proof of the address of an account.
    VerifyEmail,
    /// Asks for a proof of the address that an account is to have.
    ChangeEmail,
    /// Lets its reader set another password.
    ResetPassword,
    /// Lets its reader sign in.
    MagicLink,
    /// Lets its reader set the first password of an account that an administrator made.
    Invitation,
    /// Lets its reader join an organization, with the account of this address.
    OrgInvitation,
    /// Somebody tried to register with the address of an account; lets its owner set another password.
    RegisteredAlready,
    /// Somebody asked to give their account the address of another.
    AddressTaken,
    /// The account is about to have another address, which is named.
    EmailChanging(String),
    /// The account has another address, which is named.
    EmailChanged(String),
    /// The password was set by a mailed link.
    PasswordReset,
    /// The password was changed by whoever was signed in.
    PasswordChanged,
    /// Somebody can sign in to the account through this provider.
    IdentityLinked(String),
    /// A link of the account to another provider was removed.
    IdentityUnlinked,
    /// Somebody signed in from where nobody did before.
    NewDevice {
        /// The peer's address.
        address: String,
        /// What the client called itself.
        device: String,
        /// When it was.
        at: Timestamp,
    },
}

impl LetterKind {
    /// The word for it in the table and the audit log.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::MagicLink => "magic_link",
            Self::Invitation => "invitation",
            Self::OrgInvitation => "org_invitation",
            Self::RegisteredAlready => "registered_already",
            Self::AddressTaken => "address_taken",
            Self::EmailChanging(_) => "email_changing",
            Self::EmailChanged(_) => "email_changed",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::IdentityLinked(_) => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::NewDevice { .. } => "new_device",
        }
    }
}

/// How long after a failure the next attempt is made: doubling, half an hour at most.
pub(super) fn delay(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_and_is_capped() {
        let seconds = [0, 1, 2, 3, 8, 9, 50, i64::MAX].map(|attempts| delay(attempts).as_secs());
        assert_eq!(seconds, [10, 10, 20, 40, 1280, 1800, 1800, 1800]);
    }
}
