//! `wardgate migrate`.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use wardgate::{DatabaseUrl, MIGRATIONS, TableRows, Wardgate};
use zeroize::Zeroizing;

use crate::cli::{Common, Migrate};
use crate::config::{Mode, has_password, open_to_all, read_secret_file};
use crate::datadir::ServerLock;
use crate::failure::Failure;
use crate::output::{self, List};
use crate::progress::Progress;
use crate::wire;

/// Brings the schema up to date or moves the database, or says what that would do.
///
/// # Errors
/// A database that cannot be opened, or that a newer program migrated; a target that is not empty.
pub(crate) async fn run(common: &Common, command: &Migrate) -> Result<(), Failure> {
    match target(command)? {
        Some(target) => relocate(common, target, command.dry_run).await,
        None => update(common, command.dry_run).await,
    }
}

async fn update(common: &Common, dry_run: bool) -> Result<(), Failure> {
    let missing = missing(common).await?;
    if !dry_run {
        super::open_or_make(common).await?.close().await;
    }
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &json!({ "dry_run": dry_run, "migrations": missing }))?;
        return Ok(());
    }
    let verb = if dry_run { "would apply" } else { "applied" };
    for name in &missing {
        writeln!(out, "{verb} {name}")?;
    }
    if missing.is_empty() {
        writeln!(out, "The schema is up to date.")?;
    }
    Ok(())
}

async fn missing(common: &Common) -> Result<Vec<&'static str>, Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    let database = super::database(common)?;
    // Opening a SQLite file would make it, and looking must change nothing.
    if matches!(&database, DatabaseUrl::Sqlite(path) if !path.exists()) {
        return Ok(MIGRATIONS.iter().map(|migration| migration.name).collect());
    }
    Ok(Wardgate::pending_migrations(wire::db_options(database, &config.database)).await?)
}

/// Where to move, if that is asked for. No error repeats what was given: a password may be in it.
fn target(command: &Migrate) -> Result<Option<DatabaseUrl>, Failure> {
    let url = match (&command.to, &command.to_file) {
        (None, None) => return Ok(None),
        (Some(url), _) if has_password(url) => {
            return Err(Failure::Usage(
                "other users of this machine see arguments: put the URL with its password into a file that only you \
                 can read, and give --to-file"
                    .to_owned(),
            ));
        }
        (Some(url), _) => Zeroizing::new(url.clone()),
        (None, Some(file)) => url_in(file)?,
    };
    match url.parse() {
        Ok(DatabaseUrl::Sqlite(_)) => {
            Err(Failure::Usage("a database is moved to PostgreSQL: postgres://user@host/name".to_owned()))
        }
        Ok(target) => Ok(Some(target)),
        Err(error) => Err(Failure::Usage(format!("the target's URL: {error}"))),
    }
}

fn url_in(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let shown = file.display();
    if let Some(mode) = open_to_all(file) {
        return Err(Failure::Usage(format!("{shown} can be read by everybody ({mode}): chmod 600 {shown}")));
    }
    read_secret_file(file).map_err(|error| Failure::Usage(format!("{shown}: {error}")))
}

async fn relocate(common: &Common, target: DatabaseUrl, dry_run: bool) -> Result<(), Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    let database = super::existing_database(common)?;
    let DatabaseUrl::Sqlite(place) = &database else {
        return Err(Failure::Usage("the database is PostgreSQL already".to_owned()));
    };
    let (place, to) = (place.display().to_string(), target.to_string());
    let tables = if dry_run {
        let options = |url| wire::db_options(url, &config.database);
        Wardgate::check_move(options(database), options(target)).await?
    } else {
        // Held to the end: what a server wrote meanwhile would be lost.
        let _lock = ServerLock::take(&database)?;
        let source = super::builder(common, database)?;
        let progress = |word: &str, done, all| Progress::new(Some(all)).show(done, word);
        let moved = source.move_to(super::builder(common, target)?, progress).await;
        Progress::new(None).clear();
        moved?
    };
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let out = &mut io::stdout().lock();
    if common.json {
        let moved: Vec<Value> = tables.iter().map(as_json).collect();
        output::json(out, &json!({ "dry_run": dry_run, "to": to, "rows": rows, "tables": moved }))?;
        return Ok(());
    }
    let mut list = List::new(false, ["TABLE", "ROWS"]);
    list.batch(out, &tables.iter().map(as_json).collect::<Vec<_>>(), |table| {
        [table["table"].as_str().unwrap_or_default().to_owned(), table["rows"].to_string()]
    })?;
    list.end(out)?;
    if dry_run {
        writeln!(out, "would move {rows} rows to {to}")?;
        return Ok(());
    }
    writeln!(out, "moved {rows} rows to {to}; as many arrived, and the audit logs hold")?;
    writeln!(
        out,
        "Now set database.url to it and start the server. {place} is as it was, but no server starts on it any more: \
         what is revoked from now on would still be good there. Keep it until the new one has a backup."
    )?;
    Ok(())
}

fn as_json(table: &TableRows) -> Value {
    json!({ "table": table.table, "rows": table.rows })
}
