//! Passwords: register with one, prove one, change one.

mod accounts;
pub(crate) mod http;
mod model;
mod service;
mod store;
mod timing;

pub use accounts::{Account, Accounts, Registered, RegistrationMode};
pub(crate) use accounts::{
    FirstRoles, ImportedAccount, PreparedAccount, write as write_account, write_imported,
};
pub use model::{DeniedPasswords, PasswordPolicy};
pub(crate) use model::{ForeignHash, PasswordChange, Proof};
pub use service::Passwords;
pub(crate) use service::{
    PasswordSettings, PreparedPassword, Rehash, check_length_of, clear_unproven, hash_of, replace,
    still_proven, take_over_unproven, version_of, write_rehash,
};
