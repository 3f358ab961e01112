//! Begins imports and exports.

use std::io::BufRead;
use std::sync::Arc;

use wardgate_crypto::SubKey;

use super::export::UserExport;
use super::import::UserImport;
use super::model::TransferFormat;
use super::records::Records;
use crate::environment::Environment;
use crate::features::audit::{Action, Audit};
use crate::features::roles::{Authority, Caller};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// Brings users in from another program, and hands them out.
pub struct Transfer {
    ground: Arc<Ground>,
}

/// What an import stands on.
pub(super) struct Ground {
    pub(super) env: Arc<Environment>,
    pub(super) audit: Arc<Audit>,
    /// Digests what a record says.
    pub(super) line_key: SubKey,
}

impl Transfer {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>, line_key: SubKey) -> Self {
        Self { ground: Arc::new(Ground { env, audit, line_key }) }
    }

    /// Begins an import; nothing is read yet. With `dry_run` nothing will be written.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for anybody but an operator: an import gives any role.
    pub fn import<R: BufRead>(
        &self,
        tenant: TenantId,
        input: R,
        format: TransferFormat,
        dry_run: bool,
        caller: &Caller,
    ) -> Result<UserImport<R>, AuthError> {
        if !matches!(caller.authority, Authority::Operator) {
            return Err(AuthError::InsufficientPermissions);
        }
        let records = Records::new(input, format);
        Ok(UserImport::new(Arc::clone(&self.ground), tenant, caller.clone(), records, dry_run))
    }

    /// Begins an export of the users that are there now, newest first, and records that somebody did.
    ///
    /// # Errors
    /// [`AuthError::InsufficientPermissions`] for anybody but an operator.
    pub async fn export(
        &self,
        tenant: TenantId,
        with_password_hashes: bool,
        caller: &Caller,
    ) -> Result<UserExport, AuthError> {
        if !matches!(caller.authority, Authority::Operator) {
            return Err(AuthError::InsufficientPermissions);
        }
        let Ground { env, audit, .. } = self.ground.as_ref();
        let what = if with_password_hashes { "users_with_password_hashes" } else { "users" };
        let entry = audit.done(&caller.source, caller.actor, Action::UsersExported, what);
        audit.record_alone(tenant, entry).await?;
        Ok(UserExport::new(Arc::clone(env), tenant, with_password_hashes))
    }
}
