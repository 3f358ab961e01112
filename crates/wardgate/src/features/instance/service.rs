//! Claims a database for this program, or says why it may not be used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardgate_crypto::MasterKey;
use wardgate_store::{Db, StoreError};

use super::model::{InstanceError, Stage, admits};
use super::store;
use crate::ports::Rng;

const KEY_CHECK: &str = "key_check";
const STAGE: &str = "stage";
const PURPOSE: &str = "wardgate key check";

/// Marks a fresh database with its stage and key check, and holds an existing one to them.
///
/// A node whose master key does not open the key-check row must not start: it would write rows that no
/// other node can open, and refuse everybody's refresh tokens.
pub(crate) async fn claim(
    db: &Db,
    master: &MasterKey,
    rng: &dyn Rng,
    stage: Option<Stage>,
) -> Result<Result<(), InstanceError>, StoreError> {
    let sealed = STANDARD.encode(master.seal(PURPOSE, b"", PURPOSE.as_bytes(), rng));
    let (check, mark) = db
        .write_global((sealed, stage), |tx, (sealed, stage)| {
            Box::pin(async move {
                let fresh = store::find(tx, KEY_CHECK).await?.is_none();
                store::insert(tx, KEY_CHECK, sealed).await?;
                if fresh {
                    // Unmarked, a database that a command made would pass as one that --dev made.
                    let stage = stage.unwrap_or(Stage::Production);
                    store::insert(tx, STAGE, stage.as_str()).await?;
                }
                Ok::<_, StoreError>((store::find(tx, KEY_CHECK).await?, store::find(tx, STAGE).await?))
            })
        })
        .await?;
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
