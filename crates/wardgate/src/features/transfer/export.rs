//! Reads all users, a page at a time.

use std::sync::Arc;

use super::model::ExportedUser;
use crate::environment::Environment;
use crate::features::users::{self, User, UserFilter};
use crate::features::{password, roles};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::kernel::page::{PageRequest, Position};

/// The users of a tenant, newest first. Who is made meanwhile is newer than the first page, and not part of it.
pub struct UserExport {
    env: Arc<Environment>,
    tenant: TenantId,
    with_password_hashes: bool,
    after: Option<Position>,
    ended: bool,
}

impl UserExport {
    pub(super) fn new(env: Arc<Environment>, tenant: TenantId, with_password_hashes: bool) -> Self {
        Self { env, tenant, with_password_hashes, after: None, ended: false }
    }

    /// The next users; `None` at the end.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ExportedUser>>, AuthError> {
        if self.ended {
            return Ok(None);
        }
        let page = PageRequest { limit: PageRequest::MAX_LIMIT, after: self.after };
        let input = (page, self.with_password_hashes);
        let rows = self.env.db.read(self.tenant.into(), input, |tx, (page, with_password_hashes)| {
            Box::pin(async move {
                let users = users::list(tx, &UserFilter::default(), page).await?;
                let ids: Vec<_> = users.iter().map(|user| user.id.as_uuid()).collect();
                let mut roles = roles::of_all(tx, &ids).await?;
                let mut rows: Vec<(User, ExportedUser)> = Vec::with_capacity(users.len());
                for user in users {
                    let hash = match with_password_hashes {
                        true => Some(password::hash_of(tx, user.id).await?),
                        false => None,
                    };
                    let roles = roles.remove(&user.id.as_uuid()).unwrap_or_default().names();
                    let exported = ExportedUser::new(&user, roles, hash);
                    rows.push((user, exported));
                }
                Ok::<_, AuthError>(rows)
            })
        });
        let (rows, next) = page.split(rows.await?, |(user, _)| user.position());
        self.after = next;
        self.ended = next.is_none();
        Ok(Some(rows.into_iter().map(|(_, exported)| exported).collect()))
    }
}
