//! Authentication for axum applications: registration, sign-in, refresh that survives races and lost replies,
//! sessions, roles and signing keys, on SQLite or PostgreSQL.
//!
//! ```no_run
//! use axum::{Router, extract::FromRef, routing::get};
//! use wardgate::{CurrentUser, DbOptions, MasterKey, Wardgate};
//!
//! #[derive(Clone, FromRef)]
//! struct AppState {
//!     gate: Wardgate,
//! }
//!
//! async fn hello(user: CurrentUser) -> String {
//!     format!("Hello, {}", user.user().email)
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let gate = Wardgate::builder()
//!     .issuer("https://api.example.com")
//!     .database(DbOptions::new("sqlite://app.db".parse()?))
//!     .master_key(MasterKey::from_base64(&std::env::var("MASTER_KEY")?)?)
//!     .build()
//!     .await?;
//! let app: Router = Router::new()
//!     .route("/hello", get(hello))
//!     .merge(gate.router())
//!     .with_state(AppState { gate });
//! # Ok(()) }
//! ```
//!
//! # Where things are
//!
//! - [`Wardgate`]: the handle; its services do all that the routes do.
//! - [`CurrentUser`], [`Require`]: extractors for your own routes.
//! - [`Builder`]: all settings.
//! - `features/<name>`: one folder an idea; the file's name is its layer. `ARCHITECTURE.md` has the map.

mod authn;
mod background;
mod builder;
mod columns;
mod environment;
mod features;
mod gate;
mod hashing;
mod kernel;
mod migrations;
#[cfg(feature = "pages")]
mod pages;
mod ports;
mod router;
mod upkeep;
mod web;

pub use authn::{Admin, CurrentPrincipal, CurrentUser, Require, RequireRole, Requirement, Superadmin};
pub use builder::{BuildError, Builder};
pub use features::api_keys::{
    ApiKey, ApiKeyChange, ApiKeyView, ApiKeys, NewApiKey, Period, Quota, RateLimit,
};
#[cfg(feature = "webhook")]
pub use features::audit::WebhookSink;
pub use features::audit::{
    Action, Actor, Audit, AuditCheck, AuditEvent, AuditExport, AuditFilter, BrokenRecord, ChainFault,
    Delivery, EventSink, FileSink, Outcome, SinkError,
};
#[cfg(feature = "acme")]
pub use features::certificates::{
    AcmeSettings, CertificateFault, CertificateVersion, Certificates, Challenge, ChosenCertificate, Look,
    ServedCertificate, Tended,
};
pub use features::federation::{
    ClientSecret, Federation, Preset, ProviderChange, ProviderSettings, ProviderView, StoredProvider,
    UnknownPreset,
};
pub use features::identities::{Identities, Identity, IdentityView};
pub use features::instance::{InstanceError, Stage};
pub use features::keys::{KeyState, KeyView, Keys};
pub use features::lifecycle::{Lifecycle, UserChange};
pub use features::limits::RateLimits;
pub use features::links::LinkUrls;
pub use features::organizations::{
    ActiveOrg, Invitation, Membership, OrgRole, Organization, Organizations, Seat,
};
pub use features::password::{
    Account, Accounts, DeniedPasswords, PasswordPolicy, Passwords, Registered, RegistrationMode,
};
pub use features::principals::{Authenticated, Holder};
pub use features::recovery::Recovery;
pub use features::reseal::Resealed;
pub use features::restore::{ApiKeysAfter, Ended};
pub use features::roles::{
    Authority, BuiltinRole, Caller, CustomRole, CustomRoles, Limit, Rights, RoleChange, Roles, Scope,
    UnknownRole,
};
pub use features::service_accounts::{
    Machine, ServiceAccount, ServiceAccountChange, ServiceAccountView, ServiceAccounts,
};
pub use features::sessions::{BrowserSessions, Session, Sessions};
pub use features::setup::Setup;
pub use features::signin::SignIn;
pub use features::tenants::{Tenant, TenantChange, Tenants};
pub use features::tokens::{ExchangedToken, TokenPair, Tokens};
pub use features::transfer::{
    ExportedUser, ImportError, ImportedBatch, LineFault, Transfer, TransferFormat, UserExport, UserImport,
};
pub use features::users::{NewUser, User, UserFilter, UserView, Users};
pub use gate::{CorsOrigins, Wardgate, WebSettings};
pub use hashing::HashPoolSettings;
pub use kernel::color::{InvalidColor, Rgb};
pub use kernel::email::{Email, InvalidEmail};
pub use kernel::error::{AuthError, FieldFault};
pub use kernel::ids::{
    AccessTokenId, ApiKeyId, AuditEventId, IdentityId, InvalidId, InvitationId, MailId, OrgId,
    RefreshTokenId, RequestId, ServiceAccountId, SessionId, TenantId, UserId,
};
pub use kernel::language::Language;
pub use kernel::network::{InvalidNetwork, Network};
pub use kernel::page::{Page, PageRequest, Position};
pub use kernel::principal::{Principal, Subject, Via};
pub use kernel::source::Source;
pub use kernel::tenant::{Branding, CurrentTenant, MailUrls, OwnLimits};
pub use kernel::time::{InvalidTimestamp, Timestamp};
#[cfg(any(feature = "acme", feature = "federation", feature = "webhook"))]
pub use ports::{Answer, Outbound, OutboundError, Resolved, Resolver};
pub use ports::{BoxFuture, DevInbox, Mail, MailError, Mailer, RecordingMailer};
pub use ports::{Clock, ManualClock, Rng, SeededRng, SystemClock, SystemRng};
pub use ports::{Redirection, Returned, UpstreamError, UpstreamIdentity, UpstreamProvider};
#[cfg(feature = "smtp")]
pub use ports::{SmtpMailer, SmtpSettings, SmtpTls};
pub use upkeep::{Restored, UpkeepError};
pub use wardgate_crypto::MasterKey;
pub use wardgate_crypto::password::{Password, Scheme};
pub use wardgate_crypto::{CertificateFacts, InvalidCertificate, InvalidWebhookKey, WebhookKey};
pub use wardgate_store::{DatabaseUrl, DbOptions, Durability, Replace, StoreError, TableRows};
pub use wardgate_verify::Algorithm;
pub use web::problem::{PROBLEMS, ProblemRow};
pub use web::routes::{Access, Endpoint};

/// The migrations, for tests and tools that look at the schema.
#[doc(hidden)]
pub use migrations::MIGRATIONS;
