//! What an audit record says.

use std::fmt;

use serde::Serialize;

use crate::kernel::ids::{AuditEventId, UserId};
use crate::kernel::page::Position;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user.
    User(UserId),
    /// Nobody who is known: a sign-in that failed, a registration.
    Anonymous,
    /// An operator at the command line.
    CommandLine,
    /// Wardgate itself, such as a scheduled key rotation.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::CommandLine => f.write_str("command_line"),
            Self::System => f.write_str("system"),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The stable word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words!(
    /// What was done or tried.
    Action {
        /// An account was made.
        UserRegistered = "user.registered",
        /// The owner changed the profile.
        UserUpdated = "user.updated",
        /// A user was deactivated.
        UserDisabled = "user.disabled",
        /// A user was activated again.
        UserEnabled = "user.enabled",
        /// A user and everything of theirs was removed.
        UserDeleted = "user.deleted",
        /// A user's roles were changed.
        RolesChanged = "user.roles_changed",
        /// Somebody signed in.
        SignIn = "session.signed_in",
        /// A session was ended by its owner.
        SignOut = "session.ended",
        /// A password was changed or set.
        PasswordChanged = "password.changed",
        /// A stored hash was replaced by one of the configured scheme at sign-in.
        PasswordRehashed = "password.rehashed",
        /// A stored hash cannot be read; its owner cannot sign in until the password is set anew.
        PasswordUnusable = "password.unusable",
        /// A consumed refresh token came again; its family was ended.
        RefreshReplayed = "refresh_token.replayed",
        /// A signing key was made.
        KeyCreated = "signing_key.created",
        /// A signing key was withdrawn.
        KeyRetired = "signing_key.retired",
        /// The one-use link for the first superadmin was made.
        SetupLinkCreated = "setup_link.created",
        /// The first superadmin was made through the link.
        SetupCompleted = "setup.completed",
        /// A limit was reached; the target is its name.
        RateLimited = "rate_limit.reached",
        /// A token was unknown or malformed.
        TokenRefused = "token.refused",
    }
);

words!(
    /// How it ended.
    Outcome {
        /// It was done.
        Success = "success",
        /// It was refused and changed nothing but this record.
        Refused = "refused",
    }
);

/// A record about to be written.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(super) id: AuditEventId,
    pub(super) at: Timestamp,
    pub(super) actor: Actor,
    pub(super) action: Action,
    pub(super) target: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) source: Source,
    /// How many it stands for, where it stands for several.
    pub(super) count: Option<i64>,
}

/// A record as it is read back.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// A user's id, `anonymous`, `command_line` or `system`.
    pub actor: String,
    /// One of [`Action`]'s words.
    pub action: String,
    /// What it was done to: an id, or the keyed digest of a typed identifier.
    pub target: Option<String>,
    /// One of [`Outcome`]'s words.
    pub outcome: String,
    /// The peer's address.
    pub source: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Joins it with the log and the answer's `X-Request-Id`.
    pub request_id: String,
    /// The tenant's slug.
    pub tenant: &'static str,
    /// How many refusals of one minute it stands for, where it stands for several; `source` is then their network
    /// and `request_id` the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

impl AuditEvent {
    /// Where it stands in the log.
    pub fn position(&self) -> Position {
        Position { at: self.at, id: self.id.as_uuid() }
    }
}
