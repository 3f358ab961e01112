//! `wardgate backup`.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use wardgate::{DatabaseUrl, Replace, Wardgate};

use crate::cli::{Backup, Common};
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Runs the command.
///
/// # Errors
/// PostgreSQL, which has tools of its own; a file that is there already or cannot be written.
pub(crate) async fn run(common: &Common, command: &Backup) -> Result<(), Failure> {
    let DatabaseUrl::Sqlite(database) = super::existing_database(common)? else {
        return Err(Failure::Usage(
            "the database is PostgreSQL, whose own program makes consistent backups while servers run:\n\n  \
             PGOPTIONS='-c wardgate.tenant=all' pg_dump --enable-row-security --format=custom --file=wardgate.dump URL\n\n\
             After pg_restore run `wardgate restore --in-place`, or what was revoked since comes back."
                .to_owned(),
        ));
    };
    if command.file == Path::new("-") {
        stream(common, database).await
    } else {
        write(common, command, database).await
    }
}

async fn write(common: &Common, command: &Backup, database: PathBuf) -> Result<(), Failure> {
    let file = &command.file;
    if !command.force && fs::symlink_metadata(file).is_ok() {
        return Err(Failure::Usage(format!(
            "{} is there already: name another file, or add --force to replace it",
            file.display()
        )));
    }
    let replace = if command.force { Replace::Yes } else { Replace::No };
    let bytes = copy(database, file.clone(), replace).await?;
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &json!({ "backup": file.display().to_string(), "bytes": bytes }))?;
        return Ok(());
    }
    writeln!(out, "backed up to {} ({bytes} bytes)", file.display())?;
    writeln!(
        out,
        "The master key is not in it: keep a copy of it in another place, for nothing opens the backup without it."
    )?;
    Ok(())
}

/// By way of a file: a backup that breaks off must not look whole, and one cannot tell before the end.
async fn stream(common: &Common, database: PathBuf) -> Result<(), Failure> {
    if common.json {
        return Err(Failure::Usage("with - standard output is the backup, so there is no --json".to_owned()));
    }
    if io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "standard output is a terminal: send the backup into a program or a file".to_owned(),
        ));
    }
    let passing = database.with_file_name(format!(".backup-{}.db", std::process::id()));
    copy(database, passing.clone(), Replace::Yes).await?;
    let opened = File::open(&passing);
    // From now on it goes with the process.
    fs::remove_file(&passing)?;
    let out = &mut io::stdout().lock();
    io::copy(&mut opened?, out)?;
    Ok(out.flush()?)
}

async fn copy(from: PathBuf, to: PathBuf, replace: Replace) -> Result<u64, Failure> {
    let progress = move |done, all| Progress::new(Some(all)).show(done, "pages copied");
    let copied = Wardgate::back_up(from, to, replace, progress).await;
    Progress::new(None).clear();
    Ok(copied?)
}
