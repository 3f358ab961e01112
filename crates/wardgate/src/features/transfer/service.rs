//! Begins imports and exports.

use std::io::BufRead;
use std::sync::Arc;

use wardgate_crypto::{MasterKey, SubKey};

use super::export::UserExport;
use super::import::UserImport;
use super::model::TransferFormat;
use crate::environment::Environment;
use crate::features::audit::{Action, Audit};
use crate::features::roles::{Authority, Caller};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;

/// Brings users in from another program, and hands them out.
pub struct Transfer {
    env: Arc<Environment>,
    audit: Arc<Audit>,
    line_key: Arc<SubKey>,
}

impl Transfer {
    pub(crate) fn new(env: Arc<Environment>, audit: Arc<Audit>, master: &MasterKey) -> Self {
        let line_key = Arc::new(master.derive("wardgate import lines"));
        Self { env, audit, line_key }
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
        let (env, audit, key) = (Arc::clone(&self.env), Arc::clone(&self.audit), Arc::clone(&self.line_key));
        Ok(UserImport::new(env, audit, key, tenant, caller.clone(), input, format, dry_run))
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
        let what = if with_password_hashes { "users_with_password_hashes" } else { "users" };
        let entry = self.audit.done(&caller.source, caller.actor, Action::UsersExported, what);
        self.audit.record_alone(tenant, entry).await?;
        Ok(UserExport::new(Arc::clone(&self.env), tenant, with_password_hashes))
    }
}
