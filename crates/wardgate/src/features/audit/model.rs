//! What an audit record says.

use std::fmt;

use serde::Serialize;

use crate::kernel::ids::{AuditEventId, ServiceAccountId, UserId};
use crate::kernel::page::Position;
use crate::kernel::principal::Subject;
use crate::kernel::source::Source;
use crate::kernel::time::Timestamp;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A user, signed in or by an API key.
    User(UserId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
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
            Self::ServiceAccount(id) => id.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::CommandLine => f.write_str("command_line"),
            Self::System => f.write_str("system"),
        }
    }
}

impl From<Subject> for Actor {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::User(id) => Self::User(id),
            Subject::ServiceAccount(id) => Self::ServiceAccount(id),
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
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one that the word names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
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
        /// An administrator made an account that has no password yet.
        UserCreated = "user.created",
        /// An organization was made.
        OrganizationCreated = "organization.created",
        /// An organization got another name.
        OrganizationUpdated = "organization.updated",
        /// An organization was removed.
        OrganizationDeleted = "organization.deleted",
        /// A session acts in an organization.
        OrganizationActivated = "organization.activated",
        /// A session acts in no organization any more.
        OrganizationDeactivated = "organization.deactivated",
        /// A member got another place.
        MembershipChanged = "membership.changed",
        /// A member left or was removed.
        MembershipEnded = "membership.ended",
        /// Somebody was invited to an organization.
        InvitationCreated = "invitation.created",
        /// An invitation was taken back.
        InvitationRevoked = "invitation.revoked",
        /// Somebody joined an organization.
        InvitationAccepted = "invitation.accepted",
        /// A tenant was made.
        TenantCreated = "tenant.created",
        /// A tenant's name, picture, settings or host names were changed.
        TenantUpdated = "tenant.updated",
        /// A tenant was suspended.
        TenantSuspended = "tenant.suspended",
        /// A tenant is answered for again.
        TenantResumed = "tenant.resumed",
        /// A tenant was removed with everything of its own.
        TenantDeleted = "tenant.deleted",
        /// An account came from another program's users.
        UserImported = "user.imported",
        /// Users were exported; the target says whether with their password hashes.
        UsersExported = "users.exported",
        /// A role of the tenant's own was made.
        RoleCreated = "role.created",
        /// What a role is for, or what it allows, was changed.
        RoleUpdated = "role.updated",
        /// A role was removed.
        RoleDeleted = "role.deleted",
        /// A service account was made.
        ServiceAccountCreated = "service_account.created",
        /// A service account was renamed, deactivated or activated again.
        ServiceAccountUpdated = "service_account.updated",
        /// A service account and its keys were removed.
        ServiceAccountDeleted = "service_account.deleted",
        /// An API key was made.
        ApiKeyCreated = "api_key.created",
        /// An API key's name, scopes, expiry, networks or limits were changed.
        ApiKeyUpdated = "api_key.updated",
        /// An API key got a successor; it ends with the overlap.
        ApiKeyRotated = "api_key.rotated",
        /// An API key was revoked.
        ApiKeyRevoked = "api_key.revoked",
        /// An API key was exchanged for an access token.
        ApiKeyExchanged = "api_key.exchanged",
        /// A signed-in user confirmed the password.
        SteppedUp = "session.stepped_up",
        /// All sessions of a user were ended by an administrator.
        SessionsEnded = "user.sessions_ended",
        /// The failed attempts at an account were forgotten.
        LimitsCleared = "user.limits_cleared",
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
        /// Somebody can sign in through another provider from now on; the target is the link.
        IdentityLinked = "identity.linked",
        /// A user's link to another provider was removed.
        IdentityUnlinked = "identity.unlinked",
        /// A provider was set up.
        ProviderCreated = "provider.created",
        /// A provider was changed, switched on or off.
        ProviderUpdated = "provider.updated",
        /// A provider was removed.
        ProviderDeleted = "provider.deleted",
        /// Somebody asked for a mail that proves the address of an account; the target is a digest of what they typed.
        EmailVerificationRequested = "email.verification_requested",
        /// The owner of an account proved its address.
        EmailVerified = "email.verified",
        /// A signed-in user asked for another address.
        EmailChangeRequested = "email.change_requested",
        /// An account got another address, which was proven.
        EmailChanged = "email.changed",
        /// Somebody asked for a mail that lets them set another password; the target is a digest of what they typed.
        PasswordResetRequested = "password.reset_requested",
        /// A password was set by a mailed link, and all sessions ended.
        PasswordReset = "password.reset",
        /// Somebody asked for a mail that lets them sign in; the target is a digest of what they typed.
        MagicLinkRequested = "magic_link.requested",
        /// Somebody registered with an address that has an account already; the target is a digest of it.
        RegistrationRepeated = "user.registration_repeated",
        /// An account whose address nobody had proven lost password, sessions and keys to whoever proved it.
        UnprovenAccountCleared = "user.unproven_cleared",
        /// A mail was handed to the mail server; the target is its kind and whom it is about.
        MailSent = "mail.sent",
        /// A mail could not be sent in time.
        MailGivenUp = "mail.given_up",
        /// A limit was reached; the target is its name.
        RateLimited = "rate_limit.reached",
        /// An older state of the database was put back, and what may have ended since was ended; the target says what
        /// became of API keys.
        DatabaseRestored = "database.restored",
        /// Everything was sealed anew under another master key; the target is what it is called.
        MasterKeyRotated = "master_key.rotated",
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

/// Which records are wanted; the default is all of them.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
    /// By exactly this actor, as records show it.
    pub actor: Option<String>,
    /// Done to exactly this target.
    pub target: Option<String>,
    /// Only this.
    pub action: Option<Action>,
    /// Only what ended so.
    pub outcome: Option<Outcome>,
}

impl AuditFilter {
    /// The first moment that is wanted.
    pub(super) fn first(&self) -> Timestamp {
        self.from.unwrap_or(Timestamp::from_millis(i64::MIN))
    }

    /// Whether it lets a record pass, the times aside, which the query of an export minds.
    pub(super) fn matches(&self, event: &AuditEvent) -> bool {
        let is = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
        is(self.actor.as_deref(), Some(&event.actor))
            && is(self.target.as_deref(), event.target.as_deref())
            && is(self.action.map(Action::as_str), Some(&event.action))
            && is(self.outcome.map(Outcome::as_str), Some(&event.outcome))
    }

    /// The first moment that is no longer wanted.
    pub(super) fn end(&self) -> Timestamp {
        self.to.unwrap_or(Timestamp::from_millis(i64::MAX))
    }
}

/// A record as it is read back.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// The id of a user or service account, `anonymous`, `command_line` or `system`.
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
    pub tenant: String,
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

/// A record that has its place in the chain.
#[derive(Debug, Clone)]
pub(super) struct SealedEvent {
    pub(super) event: AuditEvent,
    pub(super) seq: i64,
    /// Whatever lies in the column: verifying is there for rows that others wrote.
    pub(super) mac: Option<Vec<u8>>,
    pub(super) personal_digest: Option<Vec<u8>>,
}

/// Which of the two signed places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// The last link.
    Head,
    /// The last link that retention has removed: the chain begins behind it.
    Start,
}

impl PlaceKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Start => "start",
        }
    }
}

/// A link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: i64,
    pub(super) mac: [u8; 32],
}

/// A signed place as it lies in the table.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) mac: Vec<u8>,
    pub(super) at: Timestamp,
    pub(super) signature: Vec<u8>,
}

/// How far a sink has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SinkPlace {
    pub(super) name: String,
    /// The last record that it took, 0 if none.
    pub(super) seq: i64,
    /// In a row.
    pub(super) failures: i64,
    /// Not before this.
    pub(super) due_at: Timestamp,
}

impl SinkPlace {
    pub(super) fn beginning(name: String) -> Self {
        Self { name, seq: 0, failures: 0, due_at: Timestamp::from_millis(0) }
    }
}

/// What is wrong at one place of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChainFault {
    /// A field differs from what was sealed, or the record stood elsewhere.
    Changed,
    /// There is no record with this number: it was deleted or cut off.
    Missing,
    /// It has a number that it was not given: before the beginning, behind the end, or another record's.
    Foreign,
    /// The signed end of the chain is gone or forged, so nobody can tell where the chain ends.
    Head,
    /// The signed place behind which the chain begins is forged.
    Start,
    /// The record has waited for more than a minute for its place: nothing protects it yet.
    Unsealed,
}

/// The first record that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenRecord {
    /// Its number in the chain, or the one that was due.
    pub seq: Option<i64>,
    /// Its id, if there is such a record.
    pub id: Option<AuditEventId>,
    /// What is wrong.
    pub fault: ChainFault,
}

impl fmt::Display for BrokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seq, self.id) {
            (Some(seq), Some(id)) => write!(f, "record {seq} ({id}) ")?,
            (Some(seq), None) => write!(f, "record {seq} ")?,
            (None, Some(id)) => write!(f, "record {id} ")?,
            (None, None) => {}
        }
        f.write_str(match self.fault {
            ChainFault::Changed => "was changed after it was sealed, or moved",
            ChainFault::Missing => "is missing: it was deleted or cut off",
            ChainFault::Foreign => "stands where no record was sealed",
            ChainFault::Head => "is the last by a signed end of the chain that is missing or forged",
            ChainFault::Start => "is the last removed one by a signed beginning of the chain that is forged",
            ChainFault::Unsealed => "has waited for more than a minute to be sealed: no server does it",
        })
    }
}

/// What looking through the chain has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    /// Records that hold.
    pub records: u64,
    /// Those among them whose source and user agent were erased.
    pub erased: u64,
    /// The number of the last record that retention has removed, 0 if none.
    pub removed_to: i64,
    /// The number of the last record that holds.
    pub last: i64,
    /// Its link in hexadecimal: whoever writes it down elsewhere can tell later that the log was not put back.
    pub link: String,
    /// The first record that does not hold; `None` if all do.
    pub broken: Option<BrokenRecord>,
}
