//! `wardgate migrate`.

use std::io::{self, Write as _};

use serde_json::json;
use wardgate::{DatabaseUrl, MIGRATIONS, Wardgate};

use crate::cli::{Common, Migrate};
use crate::config::Mode;
use crate::datadir::DataDir;
use crate::failure::Failure;
use crate::{output, wire};

/// Brings the schema up to date, or says what that would do.
///
/// # Errors
/// A database that cannot be opened, or that a newer program migrated.
pub(crate) async fn run(common: &Common, command: &Migrate) -> Result<(), Failure> {
    let missing = missing(common).await?;
    if !command.dry_run {
        super::open_or_make(common).await?.close().await;
    }
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &json!({ "dry_run": command.dry_run, "migrations": missing }))?;
        return Ok(());
    }
    let verb = if command.dry_run { "would apply" } else { "applied" };
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
    let database = DataDir::new(&common.data_dir).database(&config.database.url)?;
    // Opening a SQLite file would make it, and looking must change nothing.
    if matches!(&database, DatabaseUrl::Sqlite(path) if !path.exists()) {
        return Ok(MIGRATIONS.iter().map(|migration| migration.name).collect());
    }
    Ok(Wardgate::pending_migrations(wire::db_options(database, &config.database)).await?)
}
