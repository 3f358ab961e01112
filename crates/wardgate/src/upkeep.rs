//! The database as a whole: backed up, restored, moved to another engine.

use std::path::PathBuf;

use wardgate_store::{
    DatabaseUrl, Db, DbOptions, Replace, Staged, StoreError, TableRows, back_up, check_integrity,
    refuse_existing,
};

use crate::builder::{BuildError, Builder};
use crate::features::audit::BrokenRecord;
use crate::features::certificates;
use crate::features::federation::Federation;
use crate::features::instance::{self, Moved};
use crate::features::keys::Keys;
use crate::features::outbox::Outbox;
use crate::features::reseal::{self, Resealed};
use crate::features::restore::{self, ApiKeysAfter, Ended};
use crate::features::tenants;
use crate::gate::{Inner, Wardgate};
use crate::kernel::error::AuthError;
use crate::kernel::ids::TenantId;
use crate::migrations::MIGRATIONS;

/// Why a database could not be restored or moved. Nothing that was there was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// It cannot be opened with these settings.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What the database or its file says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A service failed.
    #[error(transparent)]
    Service(#[from] AuthError),
    /// The audit log of a tenant is not as it was written (S-133).
    #[error("the audit log of tenant {tenant} is not as it was written: {broken}")]
    Audit {
        /// The tenant's slug.
        tenant: String,
        /// The first record that does not hold.
        broken: BrokenRecord,
    },
}

/// What a restore has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What ended with it.
    pub ended: Ended,
    /// Where the database lies now that was there before.
    pub kept: Option<PathBuf>,
}

impl Wardgate {
    /// Copies the SQLite database at `from` into one file at `to` (mode 0600), as it was when this began, and gives the
    /// copy's size in bytes. Others may read and write meanwhile and wait for nothing; what was committed before is in
    /// it. It has its name once it is whole. It needs no master key, and has none in it.
    ///
    /// `progress` gets the pages done, and how many there are.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a file that is there already.
    pub async fn back_up(
        from: PathBuf,
        to: PathBuf,
        replace: Replace,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<u64, StoreError> {
        off_runtime(move || back_up(&from, &to, replace, progress)).await
    }

    /// Ends every credential that may have ended since the state of this database, after it was put back by other means
    /// than [`Builder::restore`]. Users, roles, passwords and links to other providers stay as they were.
    pub async fn end_restored(&self, api_keys: ApiKeysAfter) -> Result<Ended, AuthError> {
        let caller = self.operator();
        let ended = restore::end_all(&self.0.env, &self.0.audit, api_keys, &caller).await?;
        for tenant in self.tenant_ids().await? {
            self.0.keys.maintain(tenant, &caller.source).await?;
        }
        self.0.audit.seal_all().await?;
        Ok(ended)
    }

    /// What [`Builder::move_to`] would move between these databases, table by table; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it could not be done.
    pub async fn check_move(source: DbOptions, target: DbOptions) -> Result<Vec<TableRows>, StoreError> {
        let (source, target) = (Db::open(source).await?, Db::open(target).await?);
        let checked = source.check_move(&target, MIGRATIONS).await;
        source.close().await;
        target.close().await;
        checked
    }

    /// Seals with this gate's master key from now on, and so does every other gate on this database within a second.
    /// Whoever was not given it cannot start any more, and what runs without it seals nothing.
    ///
    /// # Errors
    /// The database is left as it was.
    pub async fn begin_master_key(&self) -> Result<(), AuthError> {
        instance::begin_rotation(&self.0.env.db, &self.0.keyring, &self.0.env.rng).await
    }

    /// Seals everything anew under this gate's master key, and lets go of the one before: it is needed no more. To be
    /// called once every gate has taken up what [`begin_master_key`](Self::begin_master_key) said. Others may read
    /// and write meanwhile; cut off at any place, it can be run again.
    ///
    /// `progress` gets a word, what is done, and how much there is.
    ///
    /// # Errors
    /// Something does not open with any of the master keys that were given; both are needed then as before.
    pub async fn reseal(
        &self,
        mut progress: impl FnMut(&str, u64, u64) + Send,
    ) -> Result<Resealed, AuthError> {
        let Inner { env, keyring, audit, .. } = self.0.as_ref();
        let done = Resealed {
            master_key: keyring.given().id().to_string(),
            signing_keys: reseal::rows::<Keys>(env, keyring, &mut progress).await?,
            client_secrets: reseal::rows::<Federation>(env, keyring, &mut progress).await?,
            mails: reseal::rows::<Outbox>(env, keyring, &mut progress).await?,
            certificates: certificates::reseal(env, keyring).await?,
        };
        reseal::end(env, audit, keyring, &self.operator()).await?;
        Ok(done)
    }

    async fn tenant_ids(&self) -> Result<Vec<TenantId>, StoreError> {
        let (mut all, mut last) = (Vec::new(), None);
        loop {
            let some = tenants::list_ids(&self.0.env, last).await?;
            let Some(newest) = some.last() else { return Ok(all) };
            last = Some(*newest);
            all.extend(some);
        }
    }

    /// Seals what is left, and goes through the log of every tenant.
    async fn verify_logs(
        &self,
        progress: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<(), UpkeepError> {
        self.0.audit.seal_all().await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        for tenant in self.tenant_ids().await? {
            let seen = |reached, last| progress("audit log", count(reached), count(last));
            if let Some(broken) = self.0.audit.verify(tenant, seen).await?.broken {
                let tenant = self.0.tenants.get(tenant).await?.slug;
                return Err(UpkeepError::Audit { tenant, broken });
            }
        }
        Ok(())
    }
}

impl Builder {
    /// Puts the backup at `backup` in the place of this builder's SQLite database, which nobody has open meanwhile.
    ///
    /// It is looked through first: for damage, for a schema that is newer than this program, with the master key, and
    /// record by record of its audit logs. Then whatever may have ended since the backup is ended, in one transaction
    /// with a record of it: every session with its refresh tokens, every link in a mail, every signing key, and API keys
    /// unless they are [kept](ApiKeysAfter::Kept). All of that happens to a copy, which then takes the place in one step;
    /// a database that was there stays beside it. `progress` gets a word, what is done, and how much there is.
    ///
    /// # Errors
    /// [`UpkeepError`]; the database that was there is then still in its place.
    pub async fn restore(
        mut self,
        backup: PathBuf,
        replace: Replace,
        api_keys: ApiKeysAfter,
        mut progress: impl FnMut(&str, u64, u64) + Send + Clone + 'static,
    ) -> Result<Restored, UpkeepError> {
        let Some(options) = self.database_options() else {
            return Err(BuildError::Settings(vec!["database: give a database".to_owned()]).into());
        };
        let DatabaseUrl::Sqlite(place) = options.url.clone() else {
            return Err(StoreError::Refused(
                "a backup is restored to SQLite; for PostgreSQL there is pg_restore".to_owned(),
            )
            .into());
        };
        let staged = {
            let (place, mut progress) = (place.clone(), progress.clone());
            off_runtime(move || {
                refuse_existing(&place, replace)?;
                let staged =
                    Staged::copy_of(&backup, &place, |done, all| progress("bytes copied", done, all))?;
                check_integrity(staged.path())?;
                Ok(staged)
            })
            .await?
        };
        options.url = DatabaseUrl::Sqlite(staged.path().to_owned());
        refuse_strangers(options.clone()).await?;
        let gate = self.open(Moved::Admitted).await?;
        let ended = gate.restored(api_keys, &mut progress).await;
        gate.close().await;
        let ended = ended?;
        let kept = off_runtime(move || staged.put_in_place(&place, replace)).await?;
        Ok(Restored { ended, kept })
    }

    /// As [`build_tool`](Self::build_tool), of a database that is about to be taken back into use by
    /// [`Wardgate::end_restored`]: it may have been moved away.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn build_restored(self) -> Result<Wardgate, BuildError> {
        self.open(Moved::Admitted).await
    }

    /// Copies every row of this builder's SQLite database into the empty PostgreSQL database of `target`, which has the
    /// same master key, compares how many there are, and goes through the audit logs that arrived. No server may run on
    /// the source; it is left as it was, but for a mark that keeps servers from starting on it.
    ///
    /// It is one transaction: cut off at any place, the target has no rows. `progress` gets a word, what is done, and how
    /// much there is.
    ///
    /// # Errors
    /// [`UpkeepError`]; [`StoreError::Refused`] for a target that is not empty.
    pub async fn move_to(
        mut self,
        mut target: Self,
        mut progress: impl FnMut(&str, u64, u64) + Send,
    ) -> Result<Vec<TableRows>, UpkeepError> {
        let (Some(from), Some(to)) = (self.database_options(), target.database_options()) else {
            return Err(BuildError::Settings(vec!["database: give a database".to_owned()]).into());
        };
        let (place, to) = (to.url.to_string(), to.clone());
        Wardgate::check_move(from.clone(), to.clone()).await?;
        let source = self.build_tool().await?;
        let moved = move_rows(&source, to, &mut progress).await;
        let moved = match moved {
            Ok(moved) => moved,
            Err(error) => {
                source.close().await;
                return Err(error);
            }
        };
        let marked = instance::mark_moved(&source.0.env.db, place).await;
        source.close().await;
        marked?;
        let arrived = target.build_tool().await?;
        let verified = arrived.verify_logs(&mut progress).await;
        arrived.close().await;
        verified.map(|()| moved)
    }
}

impl Wardgate {
    async fn restored(
        &self,
        api_keys: ApiKeysAfter,
        progress: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<Ended, UpkeepError> {
        self.verify_logs(progress).await?;
        Ok(self.end_restored(api_keys).await?)
    }
}

async fn move_rows(
    source: &Wardgate,
    to: DbOptions,
    progress: &mut (impl FnMut(&str, u64, u64) + Send),
) -> Result<Vec<TableRows>, UpkeepError> {
    source.verify_logs(progress).await?;
    let target = Db::open(to).await?;
    let moved = source.0.env.db.move_to(&target, MIGRATIONS, progress).await;
    target.close().await;
    Ok(moved?)
}

/// Migrating a stranger's file, or an empty one, would make a database that looks restored.
async fn refuse_strangers(options: DbOptions) -> Result<(), StoreError> {
    let db = Db::open(options).await?;
    let pending = db.pending(MIGRATIONS).await;
    db.close().await;
    let pending = pending?;
    if !pending.unknown.is_empty() {
        return Err(StoreError::Refused(
            "the backup is of a newer version of this program: restore it with that one".to_owned(),
        ));
    }
    if pending.missing.len() == MIGRATIONS.len() {
        return Err(StoreError::Refused("there is no Wardgate database in the backup".to_owned()));
    }
    Ok(())
}

/// Copying takes its time, so it does not happen on a runtime thread.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(StoreError::Unavailable("copying the database panicked".to_owned())))
}
