//! Users: profile, activity, who exists.

mod model;
mod service;
mod store;

pub(crate) use model::check_name;
pub use model::{NewUser, User, UserFilter, UserView};
pub use service::Users;
pub(crate) use service::{
    change_email, delete, disable, enable, find, find_all, find_for_sign_in, forget, insert, insert_if_free,
    list, lock, rename, verify_email,
};
