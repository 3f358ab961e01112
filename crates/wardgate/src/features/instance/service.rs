//! Claims a database for this program, or says why it may not be used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardgate_crypto::{Keyring, MasterKey, MasterKeyId, SubKey};
use wardgate_store::{Db, GlobalTx, StoreError};

use super::model::{InstanceError, KeyUse, Stage, admits};
use super::store;
use crate::ports::Rng;

pub(super) const KEY_CHECK: &str = "key_check";
pub(super) const NEXT_KEY_CHECK: &str = "next_key_check";
const STAGE: &str = "stage";
const MOVED_TO: &str = "moved_to";
const PURPOSE: &str = "wardgate key check";
/// What lasting keys are sealed for.
pub(super) const KEPT: &str = "wardgate lasting key";

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

/// The keys of this database that outlive its master key, by what each is for.
pub(crate) struct LastingKeys([SubKey; KeyUse::ALL.len()]);

impl LastingKeys {
    pub(crate) fn get(&self, wanted: KeyUse) -> SubKey {
        self.0[wanted as usize].clone()
    }
}

/// What the database says of the master key it is under.
pub(super) struct Checks {
    /// Sealed under the key that it takes to open everything.
    pub(super) whole: Option<String>,
    /// Sealed under the key that everything is being sealed anew under.
    pub(super) next: Option<String>,
}

impl Checks {
    pub(super) async fn read(tx: &mut GlobalTx) -> Result<Self, StoreError> {
        Ok(Self { whole: store::find(tx, KEY_CHECK).await?, next: store::find(tx, NEXT_KEY_CHECK).await? })
    }

    /// Seals from now on with the key that the database is under; with none if that is not here.
    pub(super) fn take_up(&self, keyring: &Keyring) -> Result<(), InstanceError> {
        let id = opener(keyring, self.whole.as_deref().unwrap_or_default())
            .and_then(|whole| self.next.as_deref().map_or(Ok(whole), |next| opener(keyring, next)));
        keyring.seal_with(id.as_ref().ok().copied());
        keyring.name_keys(self.next.is_some() || self.whole.as_deref().is_some_and(names_its_key));
        id.map(drop)
    }
}

/// A value that opens under the given key and no other.
pub(super) fn new_check(keyring: &Keyring, rng: &dyn Rng) -> String {
    STANDARD.encode(keyring.given().seal(PURPOSE, b"", PURPOSE.as_bytes(), rng))
}

fn names_its_key(check: &str) -> bool {
    MasterKeyId::named_in(&decoded(check)).is_some()
}

/// What is no value of ours opens under no key.
pub(super) fn decoded(check: &str) -> Vec<u8> {
    STANDARD.decode(check).unwrap_or_default()
}

fn opener(keyring: &Keyring, check: &str) -> Result<MasterKeyId, InstanceError> {
    let sealed = decoded(check);
    let opener = keyring.opener(PURPOSE, b"", &sealed).map(MasterKey::id);
    opener.map_err(|_| InstanceError::WrongMasterKey {
        needed: MasterKeyId::named_in(&sealed),
        given: keyring.ids(),
    })
}

/// Marks a fresh database with its stage and key check, and holds an existing one to them.
///
/// A node whose master keys do not open the key-check row must not start: it would write rows that no
/// other node can open, and refuse everybody's refresh tokens.
pub(crate) async fn claim(
    db: &Db,
    keyring: &Keyring,
    rng: &dyn Rng,
    stage: Option<Stage>,
    moved: Moved,
) -> Result<Result<LastingKeys, InstanceError>, StoreError> {
    let check = new_check(keyring, rng);
    let (checks, mark, place) = db
        .write_global((check, stage), |tx, (check, stage)| {
            Box::pin(async move {
                let fresh = store::find(tx, KEY_CHECK).await?.is_none();
                store::insert(tx, KEY_CHECK, check).await?;
                if fresh {
                    // Unmarked, a database that a command made would pass as one that --dev made.
                    let stage = stage.unwrap_or(Stage::Production);
                    store::insert(tx, STAGE, stage.as_str()).await?;
                }
                let (checks, mark) = (Checks::read(tx).await?, store::find(tx, STAGE).await?);
                Ok::<_, StoreError>((checks, mark, store::find(tx, MOVED_TO).await?))
            })
        })
        .await?;
    if let (Some(place), Moved::Refused) = (place, moved) {
        return Ok(Err(InstanceError::Moved(place)));
    }
    // The stage first: whoever meets a database of the other stage has the wrong key as well, and should hear why.
    match admits(stage, mark.as_deref()).and_then(|()| checks.take_up(keyring)) {
        Ok(()) => lasting_keys(db, keyring, rng).await,
        Err(refused) => Ok(Err(refused)),
    }
}

/// The keys of this database. Those that it lacks are derived from the master key that it is under: so a database from
/// before they were kept has those that it always had.
async fn lasting_keys(
    db: &Db,
    keyring: &Keyring,
    rng: &dyn Rng,
) -> Result<Result<LastingKeys, InstanceError>, StoreError> {
    let derived = keyring.sealing().and_then(|master| {
        let sealed = |each: KeyUse| {
            let purpose = each.purpose();
            let key = master.derive(purpose);
            keyring.seal_key(KEPT, purpose.as_bytes(), &key, rng).map(|sealed| (purpose, sealed))
        };
        KeyUse::ALL.into_iter().map(sealed).collect::<Result<Vec<_>, _>>()
    });
    let wrong = |needed| InstanceError::WrongMasterKey { needed, given: keyring.ids() };
    let Ok(derived) = derived else { return Ok(Err(wrong(None))) };
    let kept = db.write_global(derived, |tx, derived| {
        Box::pin(async move {
            let there = store::keys(tx).await?;
            for (purpose, sealed) in derived {
                if !there.iter().any(|(kept, _)| kept == purpose) {
                    store::insert_key(tx, purpose, sealed).await?;
                }
            }
            store::keys(tx).await
        })
    });
    let kept = kept.await?;
    let mut keys = Vec::with_capacity(KeyUse::ALL.len());
    for purpose in KeyUse::ALL.map(KeyUse::purpose) {
        let sealed = kept.iter().find(|(kept, _)| kept == purpose).map_or(&[][..], |(_, sealed)| sealed);
        let Ok(key) = keyring.open_key(KEPT, purpose.as_bytes(), sealed) else {
            return Ok(Err(wrong(MasterKeyId::named_in(sealed))));
        };
        keys.push(key);
    }
    Ok(keys.try_into().map(LastingKeys).map_err(|_| wrong(None)))
}
