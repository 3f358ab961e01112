//! Passwords: register with one, prove one, change one.

mod accounts;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub use accounts::{Account, Accounts, Registered, RegistrationMode};
pub(crate) use accounts::{FirstRoles, MAILS_PER_RECIPIENT, PreparedAccount, write as write_account};
pub(crate) use model::Proof;
pub use model::{DeniedPasswords, PasswordPolicy};
pub use service::Passwords;
pub(crate) use service::{
    PasswordSettings, PreparedPassword, Rehash, clear_unproven, remove, replace, still_proven, version_of,
    write_rehash,
};
