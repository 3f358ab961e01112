//! The data folder: the master key that `--dev` makes, and the lock that keeps a second server away.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wardgate::{DatabaseUrl, MasterKey, SystemRng};
use zeroize::Zeroizing;

use crate::config::{self, read_secret_file};
use crate::failure::Failure;

/// The folder that `--data-dir` names; it may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

/// Held by the one server of a SQLite folder. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _open: File,
}

impl DataDir {
    /// The folder at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The absolute path, for people.
    pub(crate) fn shown(&self) -> String {
        std::path::absolute(&self.0).as_deref().unwrap_or(&self.0).display().to_string()
    }

    /// The database that the configuration means; a relative SQLite file lies in this folder.
    ///
    /// # Errors
    /// A PostgreSQL address that the driver does not take.
    pub(crate) fn database(&self, url: &config::DatabaseUrl) -> Result<DatabaseUrl, Failure> {
        match url {
            config::DatabaseUrl::Sqlite(path) => Ok(DatabaseUrl::Sqlite(self.0.join(path))),
            config::DatabaseUrl::Postgres(url) => {
                url.expose().parse().map_err(|error| Failure::Usage(format!("database.url: {error}")))
            }
        }
    }

    /// The key that `--dev` made here, if it did.
    ///
    /// # Errors
    /// A file that cannot be read or holds no key.
    pub(crate) fn master_key(&self) -> Result<Option<MasterKey>, Failure> {
        let path = self.key_file();
        let text = match read_secret_file(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(about(&path, &error)),
        };
        let key = MasterKey::from_base64(&text);
        key.map(Some).map_err(|error| Failure::refused(format!("{}: {error}", path.display())))
    }

    /// Refuses a database that was made with a key that is not here: a fresh one would not open it.
    ///
    /// # Errors
    /// Names the folder. Makes nothing.
    pub(crate) fn refuse_keyless(&self, database: &DatabaseUrl) -> Result<(), Failure> {
        let found = matches!(database, DatabaseUrl::Sqlite(path) if path.exists());
        if !found || self.key_file().exists() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "there is a database, but no master.key in {}: --dev did not make this database, or its key was taken \
             away. Put the key back, or give --dev a folder of its own with --data-dir",
            self.shown()
        )))
    }

    /// The key in this folder; draws one if there is none.
    ///
    /// # Errors
    /// As [`Self::master_key`]; a folder that cannot be written to.
    pub(crate) fn master_key_or_new(&self) -> Result<MasterKey, Failure> {
        make_folder(&self.0)?;
        match self.master_key()? {
            Some(key) => Ok(key),
            None => self.draw_key(),
        }
    }

    /// Never overwrites, for a lost key is a lost database; on the disk before the first row is sealed with it.
    fn draw_key(&self) -> Result<MasterKey, Failure> {
        let path = self.key_file();
        let key = MasterKey::generate(&SystemRng);
        let line = Zeroizing::new(format!("{}\n", key.to_base64().as_str()));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            File::open(&self.0)?.sync_all()
        });
        written.map(|()| key).map_err(|error| about(&path, &error))
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("master.key")
    }
}

impl ServerLock {
    /// Takes the folder of a SQLite file for this process; `None` for a database server, which takes many.
    ///
    /// # Errors
    /// Another server has it; a folder that cannot be made or written to.
    pub(crate) fn take(database: &DatabaseUrl) -> Result<Option<Self>, Failure> {
        let DatabaseUrl::Sqlite(file) = database else { return Ok(None) };
        let folder = file.parent().unwrap_or(Path::new(""));
        make_folder(folder)?;
        let path = folder.join("wardgate.lock");
        let open = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let open = open.map_err(|error| about(&path, &error))?;
        match open.try_lock() {
            Ok(()) => Ok(Some(Self { _open: open })),
            Err(TryLockError::WouldBlock) => Err(Failure::refused(format!(
                "another server runs on {}: stop it first, or give this one a folder of its own with --data-dir",
                folder.display()
            ))),
            Err(TryLockError::Error(error)) => Err(about(&path, &error)),
        }
    }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| about(path, &error))
}

fn about(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_drawn_once_and_is_nobody_elses_to_read() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let data = DataDir::new(&folder);
        assert!(data.master_key().unwrap().is_none());
        let first = data.master_key_or_new().unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("master.key"))), (0o700, 0o600));
        assert_eq!(data.master_key_or_new().unwrap().id(), first.id());
        assert_ne!(DataDir::new(parent.path()).master_key_or_new().unwrap().id(), first.id());
    }

    #[test]
    fn a_key_file_that_holds_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (data, path) = (DataDir::new(folder.path()), folder.path().join("master.key"));
        for text in ["", "changeme\n"] {
            fs::write(&path, text).unwrap();
            assert!(data.master_key_or_new().unwrap_err().to_string().contains("master.key"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_database_without_its_key_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        let database = data.database(&config::DatabaseUrl::Sqlite("wardgate.db".into())).unwrap();
        data.refuse_keyless(&database).unwrap();
        fs::write(folder.path().join("wardgate.db"), "").unwrap();
        data.refuse_keyless(&database).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        data.master_key_or_new().unwrap();
        data.refuse_keyless(&database).unwrap();
    }

    #[test]
    fn a_folder_has_one_server_and_the_next_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseUrl::Sqlite(folder.path().join("wardgate.db"));
        let first = ServerLock::take(&database).unwrap();
        assert!(first.is_some());
        let refusal = ServerLock::take(&database).unwrap_err().to_string();
        assert!(refusal.contains(folder.path().to_str().unwrap()), "{refusal}");
        drop(first);
        assert!(ServerLock::take(&database).unwrap().is_some());
        assert!(ServerLock::take(&"postgres://u:p@h/d".parse().unwrap()).unwrap().is_none());
    }
}
