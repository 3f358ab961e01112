//! Passwords: register with one, prove one, change one.

mod accounts;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub use accounts::{Account, Accounts, RegistrationMode};
pub(crate) use accounts::{
    FirstRoles, ImportedAccount, PreparedAccount, write as write_account, write_imported,
};
pub use model::{DeniedPasswords, PasswordPolicy};
pub(crate) use model::{ForeignHash, Proof};
pub use service::Passwords;
pub(crate) use service::{PasswordSettings, Rehash, hash_of, still_proven, write_rehash};
