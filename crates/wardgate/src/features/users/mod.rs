//! Users: profile, activity, who exists.

pub(crate) mod http;
mod model;
mod service;
mod store;

pub use http::UserView;
pub(crate) use model::check_name;
pub use model::{NewUser, User};
pub use service::Users;
pub(crate) use service::{delete, disable, enable, find, find_for_sign_in, insert, list, lock};
