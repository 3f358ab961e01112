//! Passwords: register with one, prove one, change one.

mod accounts;
pub(crate) mod http;
mod model;
mod service;
mod store;

pub use accounts::{Account, Accounts, RegistrationMode};
pub(crate) use accounts::{FirstRoles, PreparedAccount, write as write_account};
pub(crate) use model::Proof;
pub use model::{DeniedPasswords, PasswordPolicy};
pub use service::Passwords;
pub(crate) use service::{PasswordSettings, Rehash, still_proven, write_rehash};
