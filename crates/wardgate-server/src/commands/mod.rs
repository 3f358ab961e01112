//! The commands beside `serve`, one file each. They work while the server runs: on the same database, with the same
//! checks and records.

pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod restore;
pub(crate) mod role;
pub(crate) mod service_account;
pub(crate) mod tenant;
pub(crate) mod user;

use std::ops::Deref;
use std::path::Path;

use wardgate::{Builder, DatabaseUrl, TenantId, TransferFormat, Wardgate};

use crate::cli::{Common, FileFormat};
use crate::config::Mode;
use crate::datadir::DataDir;
use crate::failure::Failure;
use crate::wire;

/// A gate for one command, and the tenant that the command is about.
pub(crate) struct Opened {
    gate: Wardgate,
    pub(crate) tenant: TenantId,
}

impl Deref for Opened {
    type Target = Wardgate;

    fn deref(&self) -> &Wardgate {
        &self.gate
    }
}

/// A gate for one command on a database that is there.
///
/// # Errors
/// No database, no key, or a key that does not open it; a tenant that is not there.
pub(crate) async fn open(common: &Common) -> Result<Opened, Failure> {
    existing_database(common)?;
    let gate = open_or_make(common).await?;
    let found = gate.tenants().find_by_slug(&common.tenant).await?;
    let tenant = found.ok_or_else(|| {
        Failure::refused(format!("no tenant {:?}: `wardgate tenant list` shows them", common.tenant))
    })?;
    Ok(Opened { gate, tenant: tenant.id })
}

/// Where the database is that the configuration means.
///
/// # Errors
/// A PostgreSQL address that the driver does not take.
fn database(common: &Common) -> Result<DatabaseUrl, Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    DataDir::new(&common.data_dir).database(&config.database.url)
}

/// As [`database`], of one that is there.
///
/// # Errors
/// A SQLite file that is not.
fn existing_database(common: &Common) -> Result<DatabaseUrl, Failure> {
    let database = database(common)?;
    match &database {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            let path = path.display();
            Err(Failure::Usage(format!(
                "there is no database at {path}: give the server's --data-dir, or make one with `wardgate migrate`"
            )))
        }
        _ => Ok(database),
    }
}

/// As [`open`], but a SQLite file that is not there is made.
///
/// # Errors
/// No key, or one that does not open the database.
pub(crate) async fn open_or_make(common: &Common) -> Result<Wardgate, Failure> {
    Ok(builder(common, database(common)?)?.build_tool().await?)
}

/// What makes a gate for one command on `database`.
///
/// # Errors
/// No key.
fn builder(common: &Common, database: DatabaseUrl) -> Result<Builder, Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    let data = DataDir::new(&common.data_dir);
    let key = match wire::master_key(&config)? {
        Some(key) => Some(key),
        None => data.master_key()?,
    };
    let key = key.ok_or_else(|| {
        Failure::Usage(format!(
            "no master key: set WARDGATE_SERVER__MASTER_KEY_FILE, or give the --data-dir of a server that \
             `serve --dev` started (there is no master.key in {})",
            data.shown()
        ))
    })?;
    // Commands issue no tokens, so what tokens would say does not matter.
    let issuer = config.server.issuer.clone().unwrap_or_else(|| "http://localhost".to_owned());
    let builder = wire::builder(&config, Mode::Tool)?.issuer(issuer).master_key(key);
    Ok(builder.database(wire::db_options(database, &config.database)))
}

/// What a file of users is: as it was said, or by its name.
fn transfer_format(said: Option<FileFormat>, path: &Path) -> Option<TransferFormat> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match (said, extension.as_deref()) {
        (Some(FileFormat::Jsonl), _) | (None, Some("jsonl" | "ndjson")) => Some(TransferFormat::JsonLines),
        (Some(FileFormat::Csv), _) | (None, Some("csv")) => Some(TransferFormat::Csv),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_format_unless_somebody_does() {
        let format = |said, name: &str| transfer_format(said, Path::new(name));
        for name in ["a.jsonl", "b/a.NDJSON"] {
            assert_eq!(format(None, name), Some(TransferFormat::JsonLines));
            assert_eq!(format(Some(FileFormat::Csv), name), Some(TransferFormat::Csv));
        }
        assert_eq!(format(None, "users.csv"), Some(TransferFormat::Csv));
        assert_eq!(format(Some(FileFormat::Jsonl), "-"), Some(TransferFormat::JsonLines));
        for name in ["-", "users", "users.json", "csv"] {
            assert_eq!(format(None, name), None, "{name}");
        }
    }
}
