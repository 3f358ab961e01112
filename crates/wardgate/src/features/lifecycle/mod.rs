//! What happens to a whole user: disable, enable, delete, another role. Holds no table of its own.

mod service;

pub use service::Lifecycle;
