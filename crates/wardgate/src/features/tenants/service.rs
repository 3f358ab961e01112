//! Makes the tenant `default`.

use wardgate_store::StoreError;

use super::{DEFAULT_SLUG, store};
use crate::environment::Environment;
use crate::kernel::ids::TenantId;

/// Makes the tenant `default` unless it is there.
pub(crate) async fn ensure_default(env: &Environment) -> Result<(), StoreError> {
    env.db
        .write_global(env.now(), |tx, now| {
            Box::pin(async move { store::insert(tx, TenantId::DEFAULT, DEFAULT_SLUG, "Default", *now).await })
        })
        .await
}
