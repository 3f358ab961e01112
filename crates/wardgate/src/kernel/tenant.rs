//! The tenant of one request.

use std::sync::Arc;

use super::ids::TenantId;

/// The tenant of one request: which one, and what it is called from outside.
#[derive(Debug, Clone)]
pub struct CurrentTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in tokens.
    pub slug: Arc<str>,
    /// The URL that its tokens name as their issuer, whichever way it was reached.
    pub issuer: Arc<str>,
    /// Whether strangers may register; `None` as the configuration says.
    pub(crate) registration_open: Option<bool>,
    /// Fewest characters of a new password, if more than the configuration asks for.
    pub(crate) min_password_length: usize,
}

impl CurrentTenant {
    /// Whether it is the one that answers at the root.
    pub fn is_default(&self) -> bool {
        self.id == TenantId::DEFAULT
    }
}
