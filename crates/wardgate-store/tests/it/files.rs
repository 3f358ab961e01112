//! Where the SQLite file is, and who may read it.
#![cfg(unix)]

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use wardgate_store::{Db, DbOptions, Replace, StoreError, back_up};

use crate::support::{A, SCHEMA, add_note};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

async fn open(path: &Path) -> Result<Db, StoreError> {
    Db::open(DbOptions::new(format!("sqlite://{}", path.display()).parse().unwrap())).await
}

#[tokio::test]
async fn file_log_and_folder_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/inner/app.db");
    let db = open(&path).await.unwrap();
    db.migrate(SCHEMA).await.unwrap();
    add_note(&db, A, "a", 1).await.unwrap();
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    assert_eq!(mode(&folder.path().join("data/inner")), 0o700);
    for file in [path.clone(), beside(&path, "-wal"), beside(&path, "-shm")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn what_a_killed_backup_has_left_goes_and_what_another_is_at_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let db = open(&path).await.unwrap();
    db.migrate(SCHEMA).await.unwrap();
    let part = |name: &str| folder.path().join(name);
    for left in [".copy.db.1.part", ".copy.db.1.part-wal", ".copy.db.3.part", ".other.db.1.part"] {
        std::fs::write(part(left), "left").unwrap();
    }
    let at_it = std::fs::File::create(part(".copy.db.2.part")).unwrap();
    at_it.try_lock().unwrap();
    std::os::unix::fs::symlink(&path, part(".copy.db.4.part")).unwrap();
    back_up(&path, &part("copy.db"), Replace::No, |_, _| {}).unwrap();
    let mut rest: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("part"))
        .collect();
    rest.sort();
    assert_eq!(rest, [".copy.db.2.part", ".copy.db.4.part", ".other.db.1.part"]);
    assert!(path.exists());
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "This is a letter and not a database, long enough to have a header.".repeat(20))
        .unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(text) if text.contains("letter.txt")), "{refused:?}");
    let refused = open(folder.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
}
