//! Organizations: groups of users inside a tenant, their members and invitations.

pub(crate) mod http;
mod invitations;
mod model;
mod service;
mod store;

pub use model::{ActiveOrg, Invitation, Membership, OrgRole, Organization};
pub use service::{Organizations, Seat};
pub(crate) use service::{active, end_invitations, forget, leave_all};
