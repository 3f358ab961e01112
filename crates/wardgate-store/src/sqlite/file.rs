//! The file as a whole: copied while others write to it, looked through, and put in another's place.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{
    connect::{self, Role},
    error::store_error,
};
use crate::StoreError;

/// Pages between two signs of progress.
const STEP: i32 = 1024;
/// What SQLite keeps beside a file that is open: the log with the newest commits, and an index of it.
const LOG: &str = "-wal";
const INDEX: &str = "-shm";

/// Whether to take the place of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Refuse.
    No,
    /// Take its place, in one step.
    Yes,
}

/// Copies the SQLite database at `from` into one file at `to` (mode 0600), as it was when this began, and gives the
/// size of the copy in bytes.
///
/// Others may read and write meanwhile and wait for nothing: the copy is made of one snapshot. Whatever was committed
/// before the call is in it. It has its name once it is whole and on the disk, and not before. `progress` gets the
/// pages done, and how many there are.
///
/// # Errors
/// [`StoreError::Refused`] for a file that is there already, for the database itself, and for one that is damaged;
/// [`StoreError::Unavailable`] with the reason.
pub fn back_up(
    from: &Path,
    to: &Path,
    replace: Replace,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, StoreError> {
    if replace == Replace::No && exists(to) {
        return Err(there_already(to));
    }
    // Whoever has the database open would go on writing to a file that nobody finds any more.
    for part in [from.to_owned(), with_suffix(from, LOG), with_suffix(from, INDEX)] {
        if is_same(&part, to) {
            return Err(StoreError::Refused(format!("{} is the database itself", to.display())));
        }
    }
    let staged = Staged::beside(to)?;
    copy_pages(from, staged.path(), &mut progress)?;
    close_up(staged.path())?;
    // Better found out now than at the restore.
    check_integrity(staged.path())?;
    let size = fs::metadata(staged.path()).map_err(about(to))?.len();
    staged.place(to, replace)?;
    Ok(size)
}

fn copy_pages(from: &Path, to: &Path, progress: &mut impl FnMut(u64, u64)) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error);
    let source = connect::open(from, Role::Reader)?;
    // The snapshot: without it each commit of another process would begin the copy anew, and a busy server would keep
    // it from ever ending. A reader stands in no writer's way.
    source.execute_batch("BEGIN").map_err(failed)?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    let mut target = plain(to)?;
    // What is cut short is thrown away, and what is whole is synced at the end.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(failed)?;
    let backup = Backup::new(&source, &mut target).map_err(failed)?;
    loop {
        let step = backup.step(STEP).map_err(failed)?;
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        let seen = backup.progress();
        progress(pages(seen.pagecount - seen.remaining), pages(seen.pagecount));
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => return Err(StoreError::Busy),
        }
    }
}

/// Makes one file of it that needs nothing beside it, not even to be read from a folder that cannot be written to.
fn close_up(path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error);
    let conn = plain(path)?;
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(failed)?;
    conn.close().map_err(|(_, error)| store_error(&error))?;
    File::open(path).and_then(|file| file.sync_all()).map_err(about(path))
}

/// Looks through a whole SQLite file, which nobody else has open, for damage.
///
/// # Errors
/// [`StoreError::Refused`] with what is wrong.
pub fn check_integrity(path: &Path) -> Result<(), StoreError> {
    let damaged = |what: &dyn std::fmt::Display| {
        StoreError::Refused(format!("{} is damaged, or no database: {what}", path.display()))
    };
    let conn = plain(path)?;
    let found = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(word) if word == "ok" => {}
        Ok(fault) => return Err(damaged(&fault)),
        Err(error) => return Err(damaged(&error)),
    }
    let mut dangling = conn.prepare("PRAGMA foreign_key_check").map_err(|error| damaged(&error))?;
    match dangling.exists([]) {
        Ok(false) => Ok(()),
        Ok(true) => Err(damaged(&"rows refer to rows that are not there")),
        Err(error) => Err(damaged(&error)),
    }
}

fn plain(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| store_error(&error))
}

/// A file under a name of its own, until it takes its place; it goes if it never does.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    placed: bool,
    /// Held to the end: what nobody holds was left by somebody who was killed.
    _lock: File,
}

impl Staged {
    /// An empty file (mode 0600) in the folder of `place`, from where it can be moved there in one step.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with the reason.
    pub fn beside(place: &Path) -> Result<Self, StoreError> {
        let names = (1_u32..).map(|number| {
            let mut name = OsString::from(".");
            name.push(place.file_name().unwrap_or_default());
            name.push(format!(".{number}.part"));
            place.with_file_name(name)
        });
        for left in names.clone().take_while(|path| exists(path)) {
            remove_if_left(&left);
        }
        for path in names {
            match private_new().open(&path) {
                // Between the two steps another may have taken it for one that was left. Some file systems have no locks.
                Ok(lock) if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) && exists(&path) => {
                    return Ok(Self { path, placed: false, _lock: lock });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(about(&path)(error)),
            }
        }
        Err(StoreError::internal("there are four billion unfinished files"))
    }

    /// A copy of the backup at `from`, beside `place`. `progress` gets the bytes done, and how many there are.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a database that is in use, which is no backup; [`StoreError::Unavailable`].
    pub fn copy_of(
        from: &Path,
        place: &Path,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, StoreError> {
        if fs::metadata(with_suffix(from, LOG)).is_ok_and(|log| log.len() > 0) {
            return Err(StoreError::Refused(format!(
                "{} is a database in use: its newest commits are in a file beside it; make a backup of it first",
                from.display()
            )));
        }
        let mut source = File::open(from).map_err(about(from))?;
        let total = source.metadata().map_err(about(from))?.len();
        let staged = Self::beside(place)?;
        let mut target = OpenOptions::new().write(true).open(&staged.path).map_err(about(&staged.path))?;
        let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
        loop {
            let read = source.read(&mut buffer).map_err(about(from))?;
            if read == 0 {
                break;
            }
            target.write_all(&buffer[..read]).map_err(about(&staged.path))?;
            done += read as u64;
            progress(done, total);
        }
        target.sync_all().map_err(about(&staged.path))?;
        Ok(staged)
    }

    /// Where it lies until then.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its place in one step, and waits until the disk knows.
    fn place(mut self, to: &Path, replace: Replace) -> Result<(), StoreError> {
        if replace == Replace::Yes {
            fs::rename(&self.path, to).map_err(about(to))?;
            self.placed = true;
        } else {
            // Unlike a rename, this fails where somebody was first. The other name goes with `self`.
            match fs::hard_link(&self.path, to) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(there_already(to)),
                // A file system without links: the name is taken first, and then given the content.
                Err(_) => {
                    private_new().open(to).map_err(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => there_already(to),
                        _ => about(to)(error),
                    })?;
                    fs::rename(&self.path, to).map_err(about(to))?;
                    self.placed = true;
                }
            }
        }
        sync_folder(to)
    }

    /// Puts it, a database that nobody has open, in the place of the database at `to`. One that was there is kept beside
    /// it under the name that is returned; whatever fails, and whenever the power goes, one of the two has its place.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for one that is there, unless it may be replaced, and for one that somebody has open.
    pub fn put_in_place(mut self, to: &Path, replace: Replace) -> Result<Option<PathBuf>, StoreError> {
        if fs::metadata(with_suffix(&self.path, LOG)).is_ok_and(|log| log.len() > 0) {
            return Err(StoreError::internal("the new database is still open"));
        }
        refuse_existing(to, replace)?;
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(about(&self.path))?;
        let old = Aside::keep(to)?;
        if let Err(error) = fs::rename(&self.path, to) {
            return Err(match old {
                Some(old) => old.put_back(to, &error),
                None => about(to)(error),
            });
        }
        self.placed = true;
        sync_folder(to)?;
        Ok(old.map(|old| old.name))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.placed {
            remove(&self.path);
        }
    }
}

/// Removes a file and what SQLite keeps beside it. Nothing can be done about one that cannot be removed.
fn remove(path: &Path) {
    for path in [path.to_owned(), with_suffix(path, LOG), with_suffix(path, INDEX)] {
        let _ = fs::remove_file(path);
    }
}

/// Removes an unfinished file that nobody is at: whoever made it was killed, or the power went. One that may be something
/// else, or is another user's, stays: its name is not needed.
fn remove_if_left(path: &Path) {
    // What a link leads to may be anything.
    let is_file = fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
    let left = File::open(path).ok().filter(|file| is_file && file.try_lock().is_ok());
    if left.is_some() {
        remove(path);
    }
}

/// Refuses what may not take the place of the database at `place`, before anything is done for it.
///
/// # Errors
/// [`StoreError::Refused`].
pub fn refuse_existing(place: &Path, replace: Replace) -> Result<(), StoreError> {
    if replace == Replace::No && (exists(place) || exists(&with_suffix(place, LOG))) {
        return Err(there_already(place));
    }
    Ok(())
}

/// A database that another is about to replace, under a second name.
struct Aside {
    name: PathBuf,
    /// What was moved there, from where; a database that was linked still has its place.
    moved: Vec<(PathBuf, PathBuf)>,
}

impl Aside {
    fn keep(place: &Path) -> Result<Option<Self>, StoreError> {
        let log = with_suffix(place, LOG);
        if !exists(place) && !exists(&log) {
            return Ok(None);
        }
        take_log_in(place)?;
        let names = (1_u32..).map(|number| with_suffix(place, &format!(".before-restore-{number}")));
        let free = names.into_iter().find(|name| !exists(name) && !exists(&with_suffix(name, LOG)));
        let name = free.ok_or_else(|| there_already(place))?;
        let mut kept = Self { name, moved: Vec::new() };
        if !exists(&log) && fs::hard_link(place, &kept.name).is_ok() {
            sync_folder(place)?;
            return Ok(Some(kept));
        }
        // The log first: one that stayed would be read into the new database.
        for (from, to) in [(log, with_suffix(&kept.name, LOG)), (place.to_owned(), kept.name.clone())] {
            if exists(&from) {
                match fs::rename(&from, &to) {
                    Ok(()) => kept.moved.push((from, to)),
                    Err(error) => return Err(kept.put_back(place, &error)),
                }
            }
        }
        let _ = fs::remove_file(with_suffix(place, INDEX));
        sync_folder(place)?;
        Ok(Some(kept))
    }

    /// Undoes it after `error`, and says what is where if that fails too.
    fn put_back(self, place: &Path, error: &io::Error) -> StoreError {
        if self.moved.is_empty() {
            // It has its place; the second name is not needed.
            let _ = fs::remove_file(&self.name);
        }
        for (from, to) in self.moved.iter().rev() {
            if fs::rename(to, from).is_err() {
                return StoreError::unavailable(format!(
                    "{}: {error}; the database that was there is now {}",
                    place.display(),
                    self.name.display()
                ));
            }
        }
        StoreError::unavailable(format!("{}: {error}", place.display()))
    }
}

/// Takes the log into the file, so that there is one file to keep. A database that is damaged keeps its log.
fn take_log_in(place: &Path) -> Result<(), StoreError> {
    let Ok(conn) = plain(place) else { return Ok(()) };
    match conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())) {
        Err(rusqlite::Error::SqliteFailure(error, _))
            if matches!(error.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) =>
        {
            Err(StoreError::Refused(format!("another program has {} open: end it first", place.display())))
        }
        _ => Ok(()),
    }
}

/// Whether both are names of one file.
fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        file(a).is_some_and(|one| Some(one) == file(b))
    }
    #[cfg(not(unix))]
    {
        fs::canonicalize(a).is_ok_and(|one| fs::canonicalize(b).is_ok_and(|other| one == other))
    }
}

fn there_already(path: &Path) -> StoreError {
    StoreError::Refused(format!("{} is there already", path.display()))
}

/// Whether there is anything of that name, and be it a link that leads nowhere.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn private_new() -> OpenOptions {
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file
}

/// A name is on the disk once its folder is.
fn sync_folder(of: &Path) -> Result<(), StoreError> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(about(of))
}

fn about(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let shown = path.display().to_string();
    move |error| StoreError::unavailable(format!("{shown}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path, name: &str, row: &str) -> PathBuf {
        let path = folder.join(name);
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('{row}')")).unwrap();
        path
    }

    fn row(path: &Path) -> String {
        plain(path).unwrap().query_row("SELECT v FROM t", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn whenever_the_power_goes_a_database_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let place = made(folder.path(), "app.db", "old");
        // The last step but one: the old one has two names, and the new one has not its own yet.
        let kept = Aside::keep(&place).unwrap().unwrap().name;
        assert_eq!((row(&place), row(&kept)), ("old".to_owned(), "old".to_owned()));

        // And from there again, as whoever runs the command a second time does.
        let new = made(folder.path(), ".app.db.1.part", "new");
        let staged = Staged { path: new.clone(), placed: false, _lock: File::open(&new).unwrap() };
        let again = staged.put_in_place(&place, Replace::Yes).unwrap().unwrap();
        assert_eq!((row(&place), row(&again), row(&kept)), ("new".into(), "old".into(), "old".into()));
        assert!(!new.exists());
    }

    #[test]
    fn what_cannot_have_its_place_leaves_the_one_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = made(folder.path(), "app.db", "old");
        let new = made(folder.path(), "new.db", "new");
        let staged = Staged { path: new.clone(), placed: false, _lock: File::open(&new).unwrap() };
        // Gone before the last step, as on a disk that fails.
        let refused = {
            let old = Aside::keep(&place).unwrap().unwrap();
            fs::remove_file(&new).unwrap();
            old.put_back(&place, &fs::rename(&staged.path, &place).unwrap_err())
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert_eq!(row(&place), "old");
        assert!(!folder.path().join("app.db.before-restore-1").exists());
    }
}
