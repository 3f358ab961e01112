//! `wardgate restore`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use wardgate::{ApiKeysAfter, DatabaseUrl, Ended, Replace, Restored};

use crate::cli::{Common, Restore};
use crate::datadir::ServerLock;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Runs the command.
///
/// # Errors
/// A server that runs; a database that is there and may not be replaced; a backup that is damaged, of a newer program,
/// of another master key, or whose audit log is not as it was written.
pub(crate) async fn run(common: &Common, command: Restore) -> Result<(), Failure> {
    let api_keys = if command.keep_api_keys { ApiKeysAfter::Kept } else { ApiKeysAfter::Revoked };
    match command.file {
        Some(file) => from_file(common, file, command.force, api_keys).await,
        None => in_place(common, api_keys).await,
    }
}

async fn from_file(
    common: &Common,
    backup: PathBuf,
    force: bool,
    api_keys: ApiKeysAfter,
) -> Result<(), Failure> {
    let database = super::database(common)?;
    let DatabaseUrl::Sqlite(place) = &database else {
        return Err(Failure::Usage(
            "the database is PostgreSQL: put the dump back with pg_restore into an empty database, then run \
             `wardgate restore --in-place`, or what was revoked since comes back"
                .to_owned(),
        ));
    };
    let place = place.clone();
    // Before a folder is made for it, and a key is asked for.
    if let Err(error) = fs::File::open(&backup) {
        return Err(Failure::refused(format!("{}: {error}", backup.display())));
    }
    if !force && fs::symlink_metadata(&place).is_ok() {
        return Err(Failure::Usage(format!(
            "there is a database at {}: add --force to replace it; it is kept beside the new one",
            place.display()
        )));
    }
    // Held to the end: a server that starts meanwhile would go on writing to the old file.
    let _lock = ServerLock::take(&database)?;
    let builder = super::builder(common, database)?;
    let replace = if force { Replace::Yes } else { Replace::No };
    let progress = |word: &str, done, all| Progress::new(Some(all)).show(done, word);
    let restored = builder.restore(backup.clone(), replace, api_keys, progress).await;
    Progress::new(None).clear();
    let Restored { ended, kept } = restored?;
    let out = &mut io::stdout().lock();
    if common.json {
        let shown = |path: &Path| path.display().to_string();
        let kept = kept.as_deref().map(shown);
        output::json(out, &json!({ "restored": shown(&place), "kept": kept, "ended": ended }))?;
        return Ok(());
    }
    writeln!(out, "restored {} from {}", place.display(), backup.display())?;
    if let Some(kept) = kept {
        writeln!(out, "the database from before is {}", kept.display())?;
    }
    Ok(tell(out, &ended, api_keys)?)
}

async fn in_place(common: &Common, api_keys: ApiKeysAfter) -> Result<(), Failure> {
    let database = super::existing_database(common)?;
    let gate = super::builder(common, database)?.build_restored().await?;
    let ended = gate.end_restored(api_keys).await;
    gate.close().await;
    let ended = ended?;
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &json!({ "ended": ended }))?;
        return Ok(());
    }
    Ok(tell(out, &ended, api_keys)?)
}

fn tell(out: &mut impl Write, ended: &Ended, api_keys: ApiKeysAfter) -> io::Result<()> {
    let Ended { sessions, api_keys: revoked, signing_keys, links, mails } = ended;
    writeln!(
        out,
        "ended: {sessions} sessions, {revoked} API keys, {signing_keys} signing keys, {links} links, {mails} mails that waited"
    )?;
    if api_keys == ApiKeysAfter::Kept {
        writeln!(
            out,
            "API keys that were revoked since the backup open again what they did: look through them."
        )?;
    }
    writeln!(
        out,
        "Passwords, roles, who is disabled, tenants, providers and links to them are as they were in the backup: \
         look through what changed since."
    )
}
