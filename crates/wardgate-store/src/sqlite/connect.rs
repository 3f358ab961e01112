//! The database file and the connections to it.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::error::store_error;
use crate::{Durability, StoreError};

/// The command line writes to the same file while the server runs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// More than the program has statements, so that each is prepared once per connection.
const STATEMENTS: usize = 512;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer(Durability),
    Migrator(Durability),
}

/// Makes the folder (0700) and the file (0600) if they are absent.
///
/// SQLite gives `-wal` and `-shm` the mode of the file, so no other account of the machine ever reads a
/// digest or an address, whatever the umask is.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    let refused = |error: io::Error| StoreError::unavailable(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder().create(folder).map_err(refused)?;
    }
    private_file().open(path).map(|_| ()).map_err(refused)
}

fn private_folder() -> DirBuilder {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
}

fn private_file() -> OpenOptions {
    let mut file = OpenOptions::new();
    file.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file
}

/// Opens a connection to an existing file.
pub(super) fn open(path: &Path, role: Role) -> Result<Connection, StoreError> {
    let named =
        |reason: &dyn std::fmt::Display| StoreError::unavailable(format!("{}: {reason}", path.display()));
    let (conn, mode) = connection(path, role).map_err(|error| match store_error(&error) {
        StoreError::Busy => StoreError::Busy,
        other => named(&other),
    })?;
    // Without shared memory (network file systems) SQLite stays in another mode, in which readers and the
    // writer shut each other out.
    if mode == "wal" { Ok(conn) } else { Err(named(&"the file system does not support SQLite's WAL mode")) }
}

/// The connection and its journal mode.
fn connection(path: &Path, role: Role) -> rusqlite::Result<(Connection, String)> {
    // Without SQLITE_OPEN_URI a path that begins with "file:" stays a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // A misspelt "column" would otherwise be read as text, as PostgreSQL never does.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.pragma_update(None, "foreign_keys", !matches!(role, Role::Migrator(_)))?;
    match role {
        Role::Reader => conn.pragma_update(None, "query_only", true)?,
        Role::Writer(durability) | Role::Migrator(durability) => prepare_to_write(&conn, durability)?,
    }
    let mode = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok((conn, mode))
}

fn prepare_to_write(conn: &Connection, durability: Durability) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)
}

/// Moves the log into the file; SQLite then removes the log with its last connection.
pub(super) fn checkpoint(path: &Path, durability: Durability) -> Result<(), StoreError> {
    let conn = open(path, Role::Writer(durability))?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(|error| store_error(&error))?;
    conn.close().map_err(|(_, error)| store_error(&error))
}
