//! PostgreSQL databases that live as long as one test.

use std::{str::FromStr, thread};

use aws_lc_rs::digest;
use tokio_postgres::{Client, NoTls};

use crate::{DatabaseUrl, Db, DbOptions, Migration, StoreError, postgres::lock};

/// A database of its own, dropped with this value.
pub(super) struct Clone {
    base: Box<tokio_postgres::Config>,
    name: String,
    url: String,
}

impl Clone {
    pub(super) async fn make(base_url: &str, migrations: &[Migration]) -> Result<Self, StoreError> {
        let base = tokio_postgres::Config::from_str(base_url).map_err(failed)?;
        let server = connect(&base).await?;
        // Two processes would both find no template and both make one.
        let key = lock::key(b"testing", "template");
        server.batch_execute(&format!("SELECT pg_advisory_lock({key})")).await.map_err(failed)?;
        let template = template(&server, base_url, migrations).await?;
        server.batch_execute(&format!("SELECT pg_advisory_unlock({key})")).await.map_err(failed)?;
        let random = server.query_one("SELECT replace(gen_random_uuid()::text, '-', '')", &[]).await;
        let name =
            format!("wardgate_test_{}", random.and_then(|row| row.try_get::<_, String>(0)).map_err(failed)?);
        let made = server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        made.map_err(failed)?;
        Ok(Self { url: with_database(base_url, &name)?, base: Box::new(base), name })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        let (base, statement) = (self.base.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // A runtime of its own, because this one may be shutting down. Best effort: a database that stays
        // behind on a test server harms nobody.
        let dropping = thread::spawn(move || -> Option<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { connect(&base).await.ok()?.batch_execute(&statement).await.ok() })
        });
        drop(dropping.join());
    }
}

/// The name of the template for these migrations, which is made if it is absent.
///
/// It is marked as a template last, so that one left half made by a killed process is made anew.
async fn template(server: &Client, base_url: &str, migrations: &[Migration]) -> Result<String, StoreError> {
    // Of the role's own: nobody may read the tables of another's.
    let user = tokio_postgres::Config::from_str(base_url).map_err(failed)?;
    let user = user.get_user().unwrap_or_default();
    let name = format!("wardgate_template_{}", fingerprint(user, migrations));
    let finished = "SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate";
    if server.query_opt(finished, &[&name]).await.map_err(failed)?.is_some() {
        return Ok(name);
    }
    for statement in
        [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
    {
        server.batch_execute(&statement).await.map_err(failed)?;
    }
    let url =
        with_database(base_url, &name)?.parse().map_err(|error| StoreError::internal(format!("{error}")))?;
    let db = Db::open(DbOptions { pool: 1, ..DbOptions::new(url) }).await?;
    db.migrate(migrations).await?;
    db.close().await;
    disconnect_all(server, &name).await?;
    server.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).await.map_err(failed)?;
    Ok(name)
}

/// A database can be cloned only while nobody is connected, and a closed connection lingers for a moment.
async fn disconnect_all(server: &Client, name: &str) -> Result<(), StoreError> {
    let terminate = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
    server.execute(terminate, &[&name]).await.map(|_| ()).map_err(failed)
}

fn fingerprint(user: &str, migrations: &[Migration]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(format!("{user}\n").as_bytes());
    for migration in migrations {
        hash.update(
            format!("{} {} {}\n", migration.version, migration.name, migration.checksum()).as_bytes(),
        );
    }
    hash.finish().as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, StoreError> {
    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
    tokio::spawn(connection);
    Ok(client)
}

/// The same URL with another database, its parameters kept.
fn with_database(base_url: &str, name: &str) -> Result<String, StoreError> {
    let (address, parameters) = base_url.split_once('?').map_or((base_url, None), |(a, p)| (a, Some(p)));
    let (scheme, rest) = address.split_once("://").ok_or_else(|| StoreError::internal("no URL"))?;
    let server = rest.split_once('/').map_or(rest, |(server, _)| server);
    let parameters = parameters.map(|given| format!("?{given}")).unwrap_or_default();
    let url = format!("{scheme}://{server}/{name}{parameters}");
    DatabaseUrl::from_str(&url).map_err(|error| StoreError::internal(error.to_string()))?;
    Ok(url)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: tokio_postgres::Error) -> StoreError {
    let text = error.as_db_error().map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
    StoreError::unavailable(format!("the test server: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_the_url_changes() {
        let changed = with_database("postgres://u:p@h:1/old?sslmode=disable", "new").unwrap();
        assert_eq!(changed, "postgres://u:p@h:1/new?sslmode=disable");
        assert_eq!(with_database("postgres://u@h", "new").unwrap(), "postgres://u@h/new");
    }
}
