//! Row 3: from a request to whoever it is made as.

mod credential;
mod current_user;
mod require;

pub(crate) use credential::bearer;
pub use current_user::CurrentUser;
pub use require::{Admin, Require, RequireRole, Requirement, Superadmin};
