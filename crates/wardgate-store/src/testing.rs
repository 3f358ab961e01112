//! Databases for tests: a temporary file, or a PostgreSQL database cloned from a migrated template.

mod postgres;
mod schema;
mod watch;

pub(crate) use watch::Watch;
pub use watch::statements;

pub use schema::{ColumnShape, ForeignKeyShape, Kind, TableShape, schema};

use std::env;

use crate::{Db, DbOptions, Durability, Migration, StoreError, db::Engine, postgres::Sight};

/// The variable that names the PostgreSQL server for tests: `postgres://user:password@host:port/database`,
/// with the right to make databases.
pub const POSTGRES_VARIABLE: &str = "WARDGATE_TEST_POSTGRES";

/// A fresh, migrated database that vanishes when this is dropped.
pub struct Scratch {
    // The order matters: connections close before the files or the database go.
    db: Db,
    place: Place,
}

enum Place {
    Folder { folder: tempfile::TempDir, url: String },
    Server(postgres::Clone),
}

impl Scratch {
    /// A SQLite file in a temporary folder, without waiting for the disk: same log, same writer, same readers.
    ///
    /// # Errors
    /// If the folder, the file or a migration fails.
    pub async fn sqlite(migrations: &[Migration]) -> Result<Self, StoreError> {
        let folder = tempfile::tempdir().map_err(|error| StoreError::unavailable(error.to_string()))?;
        let url = format!("sqlite://{}", folder.path().join("scratch.db").display());
        let db = open(&url).await?;
        db.migrate(migrations).await?;
        Ok(Self { db, place: Place::Folder { folder, url } })
    }

    /// A new database on the server at `base_url`, cloned from a template that is made and migrated once for
    /// each list of migrations.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses to make databases, or if a migration fails.
    pub async fn postgres(base_url: &str, migrations: &[Migration]) -> Result<Self, StoreError> {
        let clone = postgres::Clone::make(base_url, migrations).await?;
        let db = open(clone.url()).await?;
        Ok(Self { db, place: Place::Server(clone) })
    }

    /// On PostgreSQL if [`POSTGRES_VARIABLE`] is set, else on SQLite.
    ///
    /// # Errors
    /// As the two it chooses from.
    pub async fn from_env(migrations: &[Migration]) -> Result<Self, StoreError> {
        match env::var(POSTGRES_VARIABLE) {
            Ok(base_url) => Self::postgres(&base_url, migrations).await,
            Err(_) => Self::sqlite(migrations).await,
        }
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Its address, with the password, to open it a second time.
    pub fn url(&self) -> &str {
        match &self.place {
            Place::Folder { url, .. } => url,
            Place::Server(clone) => clone.url(),
        }
    }

    /// The folder of the SQLite file; `None` on PostgreSQL.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Folder { folder, .. } => Some(folder.path()),
            Place::Server(_) => None,
        }
    }
}

async fn open(url: &str) -> Result<Db, StoreError> {
    let url = url.parse().map_err(|error| StoreError::internal(format!("{error}")))?;
    Db::open(DbOptions { durability: Durability::Off, pool: 8, ..DbOptions::new(url) }).await
}

/// Lets the engine parse a statement with `$1` placeholders, without running it.
///
/// # Errors
/// What the engine says of it.
pub async fn prepare(db: &Db, text: &str) -> Result<(), String> {
    match db.engine() {
        Engine::Sqlite(engine) => {
            let conn = engine.connect().map_err(|error| error.to_string())?;
            conn.prepare(&text.replace('$', "?")).map(|_| ()).map_err(|error| error.to_string())
        }
        Engine::Postgres(engine) => {
            let lease = engine.connect().await.map_err(|error| error.to_string())?;
            let prepared = lease.client().prepare(text).await;
            prepared.map(|_| ()).map_err(|error| {
                error.as_db_error().map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned())
            })
        }
    }
}

/// How many rows of `table` belong to `tenant`.
///
/// # Errors
/// What the database says.
pub async fn count_rows(db: &Db, table: &str, tenant: crate::TenantKey) -> Result<i64, StoreError> {
    let failed = |error: &dyn std::fmt::Display| StoreError::internal(error.to_string());
    match db.engine() {
        Engine::Sqlite(engine) => {
            let text = format!("SELECT count(*) FROM {table} WHERE tenant_id = ?1");
            let count = engine.connect()?.query_row(&text, [tenant.0], |row| row.get(0));
            count.map_err(|error| failed(&error))
        }
        Engine::Postgres(engine) => {
            let text = format!("SELECT count(*) FROM {table} WHERE tenant_id = $1");
            let lease = engine.connect().await?;
            lease.batch(&Sight::All.statement()).await?;
            let row = lease.client().query_one(&text, &[&tenant.0]).await;
            row.map(|row| row.get(0)).map_err(|error| failed(&error))
        }
    }
}
