//! Whoever a request is made as, once it is authenticated.

use super::ids::{SessionId, TenantId, UserId};

/// An authenticated subject: who, in which tenant, through which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The tenant of the credential, never one that the request names.
    pub tenant: TenantId,
    /// Who.
    pub subject: UserId,
    /// The sign-in that this request belongs to.
    pub session: SessionId,
}
