//! The features, in the order in which they may use each other: a service may use those above it.
//!
//! In each folder the file name is the layer: `model.rs` (pure), `store.rs` (SQL), `service.rs` (decisions in
//! transactions), `http.rs` (routes). `store` is private to its folder, so no feature reads another's table.

pub(crate) mod instance;

pub(crate) mod certificates;

pub(crate) mod audit;

pub(crate) mod limits;

pub(crate) mod outbox;

pub(crate) mod links;

pub(crate) mod keys;

pub(crate) mod users;

pub(crate) mod roles;

pub(crate) mod tenants;

pub(crate) mod service_accounts;

pub(crate) mod organizations;

pub(crate) mod principals;

pub(crate) mod api_keys;

pub(crate) mod sessions;

pub(crate) mod tokens;

pub(crate) mod identities;

pub(crate) mod password;

pub(crate) mod federation;

pub(crate) mod signin;

pub(crate) mod recovery;

pub(crate) mod lifecycle;

pub(crate) mod setup;

pub(crate) mod transfer;

pub(crate) mod restore;

pub(crate) mod reseal;
