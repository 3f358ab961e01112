//! Row 3: from a request to whoever it is made as.

mod admission;
mod credential;
mod current;
mod require;
mod tenant;

pub(crate) use admission::admit;
#[cfg(feature = "pages")]
pub(crate) use admission::check as check_access;
pub(crate) use credential::{bearer, cookie};
pub(crate) use current::Presented;
pub use current::{CurrentPrincipal, CurrentUser};
pub use require::{Admin, Require, RequireRole, Requirement, Superadmin};
pub(crate) use tenant::{ActsOn, below_path, beside_path};
