//! What can go wrong, in the product's words. No status codes here: `web/problem.rs` has the one table.

use std::borrow::Cow;
use std::time::Duration;

use wardgate_store::StoreError;

/// One fault of one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's name; empty for the whole body.
    pub field: Cow<'static, str>,
    /// A stable word for machines, such as `too_short`.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub detail: String,
}

impl FieldFault {
    /// A fault of `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// Every way in which Wardgate refuses or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Sign-in refused; one answer for every cause, so that it tells nothing about accounts (S-011).
    #[error("incorrect credentials")]
    IncorrectCredentials,
    /// The route needs a credential and none was sent.
    #[error("no credential was sent")]
    MissingCredential,
    /// The bearer token is not, or no longer, good.
    #[error("invalid credentials")]
    InvalidCredential,
    /// The token is good but for its deactivated user.
    #[error("inactive user")]
    InactiveUser,
    /// Two credentials in one request, or one in the query string.
    #[error("ambiguous credential: {0}")]
    AmbiguousCredential(&'static str),
    /// The refresh token is unknown, ended, expired or another client's.
    #[error("invalid refresh token")]
    InvalidRefreshToken,
    /// A consumed refresh token came again: its family has been ended.
    #[error("refresh token reused")]
    RefreshReused,
    /// The scope asked for exceeds what the subject may do or the family was granted.
    #[error("invalid scope {0:?}")]
    InvalidScope(String),
    /// The address has an account (registration mode `open` only).
    #[error("e-mail taken")]
    EmailTaken,
    /// Registration is closed.
    #[error("registration closed")]
    RegistrationClosed,
    /// The current password given with a change is wrong.
    #[error("wrong current password")]
    WrongPassword,
    /// The principal lacks the role or permission.
    #[error("insufficient permissions")]
    InsufficientPermissions,
    /// The token's scope leaves out the permission that the route asks for.
    #[error("insufficient scope: {0}")]
    InsufficientScope(String),
    /// The sign-in is older than a change of this kind allows.
    #[error("step-up required")]
    StepUpRequired,
    /// A browser sent this with a cookie, from another site's page.
    #[error("cross-site request")]
    CrossSite,
    /// Only an API key will do, and none was sent.
    #[error("no API key was sent")]
    MissingApiKey,
    /// The API key is unknown, malformed, revoked, expired, used from elsewhere, or its owner's is no longer.
    #[error("invalid API key")]
    InvalidApiKey,
    /// A live key of this owner has to go before another is made.
    #[error("too many API keys")]
    TooManyApiKeys,
    /// The tenant has a role of this name.
    #[error("role exists")]
    RoleExists,
    /// Somebody has the role.
    #[error("role in use")]
    RoleInUse,
    /// The tenant is suspended: nothing of it is answered.
    #[error("tenant suspended")]
    TenantSuspended,
    /// An organization keeps an owner.
    #[error("the last owner stays")]
    LastOwner,
    /// The user has made as many organizations as one may.
    #[error("too many organizations")]
    TooManyOrganizations,
    /// The organization has as many members as one may.
    #[error("too many members")]
    TooManyMembers,
    /// The organization has as many open invitations as one may.
    #[error("too many invitations")]
    TooManyInvitations,
    /// A tenant has this slug, or had it.
    #[error("slug taken")]
    SlugTaken,
    /// Another tenant is reached under this host name.
    #[error("host taken")]
    HostTaken,
    /// The tenant at the root is described by the configuration, and stays.
    #[error("the default tenant stays as it is")]
    DefaultTenant,
    /// The tenant has a service account of this name.
    #[error("name taken")]
    NameTaken,
    /// The token of a mail or an invitation is unknown, used, replaced, expired, another's or for something else.
    #[error("invalid or expired token")]
    InvalidToken,
    /// What came back from a provider belongs to no sign-in that this browser began here.
    #[error("invalid state")]
    InvalidState,
    /// Somebody told the provider not to tell us who they are.
    #[error("the provider was not allowed to answer")]
    UpstreamDenied,
    /// The provider was to ask anew who somebody is, and does not say that it did.
    #[error("the provider did not ask anew")]
    UpstreamStale,
    /// The provider could not be asked, or its answer does not hold.
    #[error("the provider failed")]
    UpstreamFailed,
    /// What the provider says is not enough for the account that it would be linked to, or is another's already.
    #[error("linking refused")]
    LinkingRefused,
    /// What a mailed link does is for another account than the one that is signed in.
    #[error("another account's link")]
    WrongAccount,
    /// Without it the user could not sign in any more.
    #[error("the last way to sign in stays")]
    LastCredential,
    /// The tenant has a provider of this name.
    #[error("provider exists")]
    ProviderExists,
    /// The tenant has as many providers as one may.
    #[error("too many providers")]
    TooManyProviders,
    /// This needs mail, and the server sends none.
    #[error("mail is not configured")]
    MailNotConfigured,
    /// The one-use link for the first superadmin is used, expired or was never made.
    #[error("invalid setup token")]
    InvalidSetupToken,
    /// The last superadmin who can sign in cannot be removed, disabled, given another role or cut off from their provider.
    #[error("the last superadmin stays")]
    LastSuperadmin,
    /// No such thing, or not this principal's.
    #[error("not found")]
    NotFound,
    /// The path exists, the method does not.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is not what its media type says.
    #[error("malformed body: {0}")]
    MalformedBody(&'static str),
    /// The body's media type is not one this route reads.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The body is longer than the limit.
    #[error("body too large")]
    BodyTooLarge,
    /// The header section is longer than the limit.
    #[error("headers too large")]
    HeadersTooLarge,
    /// Fields are missing, unknown, doubled, of the wrong type or outside their rules.
    #[error("invalid fields")]
    InvalidFields(Vec<FieldFault>),
    /// The page cursor was not made by this server for this list.
    #[error("invalid cursor")]
    InvalidCursor,
    /// A development server was asked under a name that is not loopback (DNS rebinding).
    #[error("untrusted host")]
    UntrustedHost,
    /// A limit of requests is reached; nothing was looked at.
    #[error("rate limited by {policy}")]
    RateLimited {
        /// The limit's name.
        policy: &'static str,
        /// How many requests its window takes.
        quota: u32,
        /// The window.
        window: Duration,
        /// When there is room again: whole seconds, at least one.
        retry_after: Duration,
    },
    /// The hashing queue or the store's queue is full; nothing was done.
    #[error("busy; try again in {retry_after:?}")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database cannot be reached or cannot write.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A defect or an impossible state. Its text goes to the log, never to the client.
    #[error("internal error: {context}: {source}")]
    Internal {
        /// What was being done.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl AuthError {
    /// An internal error with its cause.
    pub(crate) fn internal(
        context: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal { context, source: source.into() }
    }

    /// Whether it refuses a credential that a public route would rather ignore.
    pub(crate) fn is_stale_credential(&self) -> bool {
        matches!(
            self,
            Self::MissingCredential | Self::InvalidCredential | Self::InactiveUser | Self::InvalidApiKey
        )
    }

    /// A single faulty field.
    pub(crate) fn field(field: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::InvalidFields(vec![FieldFault::new(field, code, detail)])
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy { retry_after: Duration::from_secs(1) },
            StoreError::Unavailable(cause) => Self::Unavailable(cause.to_string()),
            StoreError::Closed => Self::Unavailable("the database is closed".to_owned()),
            other => Self::internal("store", other),
        }
    }
}
