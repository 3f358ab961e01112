//! Makes accounts of a file's records, 500 a transaction.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};
use std::sync::Arc;

use wardgate_store::{StoreError, Tx};

use super::model::{
    Header, Incoming, LineDigest, LineFault, TransferFormat, read_json, taken, unknown_role, was_made_from,
};
use super::records::{Record, Records};
use super::service::Ground;
use crate::features::audit::Action;
use crate::features::password::{ImportedAccount, write_imported};
use crate::features::roles::{self, BuiltinRole, Caller};
use crate::features::users;
use crate::kernel::error::{AuthError, FieldFault};
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::time::Timestamp;

/// Records a transaction.
const BATCH: usize = 500;

/// How often a batch is tried while the database is busy. SQLite waits ten seconds each time for whoever holds it, such as
/// a backup: two minutes in all, since to end half-way would be worse than to wait.
const ATTEMPTS: usize = 12;

/// Why an import ended before the file did. What was committed until then stays, and the same file can be begun again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read any further.
    #[error("read: {0}")]
    Read(#[from] io::Error),
    /// The database, as for every other change.
    #[error(transparent)]
    Refused(#[from] AuthError),
}

/// What became of some records.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ImportedBatch {
    /// How many accounts were made, or would be.
    pub made: u64,
    /// How many were there already, made from the same lines.
    pub already_there: u64,
    /// How many records were refused; one may have several faults.
    pub refused: u64,
    /// Why, in the order of the lines.
    pub faults: Vec<LineFault>,
}

/// An import on its way.
///
/// A record whose address has an account is *already there* if that account was made from a record that said exactly
/// the same, and refused otherwise. An account made by an import holds a keyed digest of its record in its id, which
/// nothing that happens to the account later changes: so a file can be imported again after some of its users have
/// signed in, were renamed or given other roles.
pub struct UserImport<R> {
    ground: Arc<Ground>,
    tenant: TenantId,
    caller: Caller,
    records: Records<R>,
    header: Option<Header>,
    ended: bool,
    /// In a dry run: whose addresses would have an account by now, and made from what.
    foreseen: Option<HashMap<[u8; 8], LineDigest>>,
}

/// A good record on its way into the database.
struct Prepared {
    line: u64,
    digest: LineDigest,
    account: ImportedAccount,
}

enum Fate {
    Made,
    AlreadyThere,
    Refused(FieldFault),
}

impl<R: BufRead> UserImport<R> {
    pub(super) fn new(
        ground: Arc<Ground>,
        tenant: TenantId,
        caller: Caller,
        records: Records<R>,
        dry_run: bool,
    ) -> Self {
        let foreseen = dry_run.then(HashMap::new);
        Self { ground, tenant, caller, records, header: None, ended: false, foreseen }
    }

    /// How much of the file was read, in bytes.
    pub fn bytes_read(&self) -> u64 {
        self.records.bytes()
    }

    /// Reads up to 500 records and commits those that are good in one transaction; `None` at the end. Reading blocks.
    ///
    /// # Errors
    /// [`ImportError`]; nothing of this batch is there then, and the import has ended.
    pub async fn next_batch(&mut self) -> Result<Option<ImportedBatch>, ImportError> {
        if self.ended {
            return Ok(None);
        }
        let mut batch = ImportedBatch::default();
        let now = self.ground.env.now();
        let mut prepared = Vec::new();
        let mut read = 0;
        while read < BATCH && !self.ended {
            let Some(record) = self.records.next().inspect_err(|_| self.ended = true)? else {
                self.end(&mut batch);
                break;
            };
            read += 1;
            match self.read(record, now) {
                Ok(Some(incoming)) => prepared.push(self.prepare(incoming, now)),
                Ok(None) => {}
                Err(faults) => {
                    batch.refused += 1;
                    batch.faults.extend(faults);
                }
            }
        }
        if let Err(error) = self.settle(prepared, now, &mut batch).await {
            // Going on would leave this batch out.
            self.ended = true;
            return Err(error.into());
        }
        batch.faults.sort_by_key(|fault| fault.line);
        Ok((read > 0 || batch.refused > 0).then_some(batch))
    }

    fn end(&mut self, batch: &mut ImportedBatch) {
        self.ended = true;
        if self.records.format() == TransferFormat::Csv && self.header.is_none() {
            batch.refused += 1;
            batch.faults.push(LineFault::whole(
                1,
                "missing_header",
                "is missing: CSV begins with a row of names",
            ));
        }
    }

    /// `None` for the header. A header with a fault ends the import: no row means anything without it.
    fn read(&mut self, record: Record, now: Timestamp) -> Result<Option<Incoming>, Vec<LineFault>> {
        match (record, &self.header) {
            (Record::Json(line, text), _) => read_json(line, &text, now).map(Some),
            (Record::Cells(line, cells), Some(header)) => header.read_row(line, cells, now).map(Some),
            (Record::Broken(fault), header) => {
                self.ended |= self.records.format() == TransferFormat::Csv && header.is_none();
                Err(vec![fault])
            }
            (Record::Cells(line, cells), None) => {
                let header = Header::read(line, &cells).inspect_err(|_| self.ended = true)?;
                self.header = Some(header);
                Ok(None)
            }
        }
    }

    fn prepare(&self, incoming: Incoming, now: Timestamp) -> Prepared {
        let digest = incoming.digest(&self.ground.line_key, self.tenant);
        let user = incoming.user(digest, now);
        let created =
            self.ground.audit.done(&self.caller.source, self.caller.actor, Action::UserImported, user.id);
        let Incoming { line, hash, roles, .. } = incoming;
        Prepared { line, digest, account: ImportedAccount { user, hash, roles, created } }
    }

    async fn settle(
        &mut self,
        prepared: Vec<Prepared>,
        now: Timestamp,
        batch: &mut ImportedBatch,
    ) -> Result<(), AuthError> {
        if prepared.is_empty() {
            return Ok(());
        }
        let lines: Vec<u64> = prepared.iter().map(|prepared| prepared.line).collect();
        let fates = if self.foreseen.is_some() {
            self.foresee(prepared).await?
        } else {
            self.write_patiently(Arc::new(prepared), now).await?
        };
        for (line, fate) in lines.into_iter().zip(fates) {
            match fate {
                Fate::Made => batch.made += 1,
                Fate::AlreadyThere => batch.already_there += 1,
                Fate::Refused(fault) => {
                    batch.refused += 1;
                    batch.faults.push(LineFault::of(line, fault));
                }
            }
        }
        Ok(())
    }

    async fn write_patiently(
        &self,
        prepared: Arc<Vec<Prepared>>,
        now: Timestamp,
    ) -> Result<Vec<Fate>, AuthError> {
        let mut attempt = 1;
        loop {
            let input = (Arc::clone(&prepared), now);
            let written = self.ground.env.db.write(self.tenant.into(), input, |tx, (prepared, now)| {
                Box::pin(async move { Ok::<_, AuthError>(write(tx, prepared, *now).await?) })
            });
            match written.await {
                Err(AuthError::Busy { .. }) if attempt < ATTEMPTS => attempt += 1,
                written => return written,
            }
        }
    }

    /// What [`write()`] would do, after all batches before.
    async fn foresee(&mut self, prepared: Vec<Prepared>) -> Result<Vec<Fate>, AuthError> {
        let addresses: Vec<_> =
            prepared.iter().map(|prepared| (self.address(prepared), prepared.digest)).collect();
        let found = self.ground.env.db.read(self.tenant.into(), prepared, |tx, prepared| {
            Box::pin(async move { Ok::<_, AuthError>(look(tx, prepared).await?) })
        });
        let found: Vec<Result<Option<UserId>, FieldFault>> = found.await?;
        let foreseen = self.foreseen.get_or_insert_default();
        let fates = found.into_iter().zip(addresses).map(|(found, (address, digest))| match found {
            Err(fault) => Fate::Refused(fault),
            Ok(Some(user)) => fate_beside(was_made_from(user, digest)),
            Ok(None) => match foreseen.get(&address) {
                Some(earlier) => fate_beside(*earlier == digest),
                None => {
                    foreseen.insert(address, digest);
                    Fate::Made
                }
            },
        });
        Ok(fates.collect())
    }

    /// An address in eight bytes, so that a dry run of a million lines takes some forty MB.
    fn address(&self, prepared: &Prepared) -> [u8; 8] {
        let tag =
            self.ground.line_key.hmac(&[b"address", prepared.account.user.email.normalized().as_bytes()]);
        let mut short = [0; 8];
        short.copy_from_slice(&tag[..8]);
        short
    }
}

fn fate_beside(same_line: bool) -> Fate {
    if same_line { Fate::AlreadyThere } else { Fate::Refused(taken()) }
}

async fn write(tx: &mut Tx, prepared: &[Prepared], now: Timestamp) -> Result<Vec<Fate>, StoreError> {
    let own_roles = own_roles(tx, prepared, true).await?;
    let mut fates = Vec::with_capacity(prepared.len());
    for Prepared { digest, account, .. } in prepared {
        fates.push(match unknown_role(&account.roles, |role| own_roles.contains(role)) {
            Some(fault) => Fate::Refused(fault),
            None if write_imported(tx, account, now).await? => Fate::Made,
            None => {
                let there = users::find_for_sign_in(tx, account.user.email.normalized()).await?;
                // Gone in the moment between: whoever removed it did not mean this line.
                fate_beside(there.is_some_and(|user| was_made_from(user.id, *digest)))
            }
        });
    }
    Ok(fates)
}

/// Who has the address of each, or why it would be refused in any case.
async fn look(
    tx: &mut Tx,
    prepared: &[Prepared],
) -> Result<Vec<Result<Option<UserId>, FieldFault>>, StoreError> {
    let own_roles = own_roles(tx, prepared, false).await?;
    let mut found = Vec::with_capacity(prepared.len());
    for Prepared { account, .. } in prepared {
        found.push(match unknown_role(&account.roles, |role| own_roles.contains(role)) {
            Some(fault) => Err(fault),
            None => {
                let there = users::find_for_sign_in(tx, account.user.email.normalized()).await?;
                Ok(there.map(|user| user.id))
            }
        });
    }
    Ok(found)
}

/// The tenant's own roles, if any record names one.
async fn own_roles(tx: &mut Tx, prepared: &[Prepared], hold: bool) -> Result<HashSet<String>, StoreError> {
    let mut named = prepared.iter().flat_map(|prepared| &prepared.account.roles);
    if named.all(|role| role.parse::<BuiltinRole>().is_ok()) {
        return Ok(HashSet::new());
    }
    if hold {
        roles::hold(tx).await?;
    }
    roles::own_names(tx).await
}
