//! Users: profile, activity, who exists.

mod model;
mod service;
mod store;

pub(crate) use model::check_name;
pub use model::{NewUser, User, UserFilter, UserView};
pub use service::Users;
pub(crate) use service::{
    change_email, delete, disable, enable, find, find_for_sign_in, insert, list, lock, rename, verify_email,
};
