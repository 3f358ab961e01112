//! The commands beside `serve`, one file each. They work while the server runs: on the same database, with the same
//! checks and records.

pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod role;
pub(crate) mod service_account;
pub(crate) mod user;

use wardgate::{DatabaseUrl, Wardgate};

use crate::cli::Common;
use crate::config::Mode;
use crate::datadir::DataDir;
use crate::failure::Failure;
use crate::wire;

/// A gate for one command on a database that is there.
///
/// # Errors
/// No database, no key, or a key that does not open it.
pub(crate) async fn open(common: &Common) -> Result<Wardgate, Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    let data = DataDir::new(&common.data_dir);
    if let DatabaseUrl::Sqlite(path) = data.database(&config.database.url)?
        && !path.exists()
    {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "there is no database at {path}: give the server's --data-dir, or make one with `wardgate migrate`"
        )));
    }
    open_or_make(common).await
}

/// As [`open`], but a SQLite file that is not there is made.
///
/// # Errors
/// No key, or one that does not open the database.
pub(crate) async fn open_or_make(common: &Common) -> Result<Wardgate, Failure> {
    let config = wire::settings(common, &[], Mode::Tool)?;
    let data = DataDir::new(&common.data_dir);
    let database = data.database(&config.database.url)?;
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
    Ok(builder.database(wire::db_options(database, &config.database)).build_tool().await?)
}
