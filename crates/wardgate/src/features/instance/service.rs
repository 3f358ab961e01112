//! Claims a database for this program, or says why it may not be used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardgate_crypto::MasterKey;
use wardgate_store::{Db, GlobalTx, StoreError};

use super::model::{InstanceError, Stage, admits};
use super::store;
use crate::ports::Rng;

const KEY_CHECK: &str = "key_check";
const STAGE: &str = "stage";
const MOVED_TO: &str = "moved_to";
const PURPOSE: &str = "wardgate key check";

/// Whether a database that was moved away may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It may not: who was shut out of the other one would come in here.
    Refused,
    /// It is about to be taken back into use.
    Admitted,
}

/// Notes in a database that it was moved to `place`.
pub(crate) async fn mark_moved(db: &Db, place: String) -> Result<(), StoreError> {
    let marked =
        db.write_global(place, |tx, place| Box::pin(async move { store::insert(tx, MOVED_TO, place).await }));
    marked.await
}

/// Takes the note back.
pub(crate) async fn unmark_moved(tx: &mut GlobalTx) -> Result<(), StoreError> {
    store::remove(tx, MOVED_TO).await
}

/// Marks a fresh database with its stage and key check, and holds an existing one to them.
///
/// A node whose master key does not open the key-check row must not start: it would write rows that no
/// other node can open, and refuse everybody's refresh tokens.
pub(crate) async fn claim(
    db: &Db,
    master: &MasterKey,
    rng: &dyn Rng,
    stage: Option<Stage>,
    moved: Moved,
) -> Result<Result<(), InstanceError>, StoreError> {
    let sealed = STANDARD.encode(master.seal(PURPOSE, b"", PURPOSE.as_bytes(), rng));
    let (check, mark, place) = db
        .write_global((sealed, stage), |tx, (sealed, stage)| {
            Box::pin(async move {
                let fresh = store::find(tx, KEY_CHECK).await?.is_none();
                store::insert(tx, KEY_CHECK, sealed).await?;
                if fresh {
                    // Unmarked, a database that a command made would pass as one that --dev made.
                    let stage = stage.unwrap_or(Stage::Production);
                    store::insert(tx, STAGE, stage.as_str()).await?;
                }
                let (check, mark) = (store::find(tx, KEY_CHECK).await?, store::find(tx, STAGE).await?);
                Ok::<_, StoreError>((check, mark, store::find(tx, MOVED_TO).await?))
            })
        })
        .await?;
    if let (Some(place), Moved::Refused) = (place, moved) {
        return Ok(Err(InstanceError::Moved(place)));
    }
    // The stage first: whoever meets a database of the other stage has the wrong key as well, and should hear why.
    Ok(admits(stage, mark.as_deref()).and_then(|()| opens(master, check.as_deref())))
}

fn opens(master: &MasterKey, check: Option<&str>) -> Result<(), InstanceError> {
    check
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|sealed| master.open(PURPOSE, b"", &sealed).ok())
        .map(drop)
        .ok_or(InstanceError::WrongMasterKey)
}
