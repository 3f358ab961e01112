//! Development and production are kept apart, whichever made the database.

use std::fs;
use std::path::Path;

use crate::support::{KEY, Server, development, production, run, stderr, stdout, wardgate};

/// `serve --dev` that is told which key to use.
fn development_with_key(folder: &Path) -> std::process::Output {
    development(folder, "127.0.0.1:0").env("WARDGATE_SERVER__MASTER_KEY", KEY).output().unwrap()
}

#[test]
fn production_does_not_serve_what_dev_made() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    let own = fs::read_to_string(folder.path().join("master.key")).unwrap();
    for key in [own.trim(), KEY] {
        let refused = production(folder.path(), key).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("made by --dev"), "{refused:?}");
    }
}

#[test]
fn dev_does_not_serve_what_production_made() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(production(folder.path(), KEY));
    assert_eq!(server.setup_token(), None, "no link in production");
    assert_eq!(server.get("/docs", "").0, 404);
    assert_eq!(server.get("/readyz", "").0, 200);
    drop(server);
    let refused = run(folder.path(), &["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&refused).contains("no master.key"), "{refused:?}");
    assert!(!folder.path().join("master.key").exists(), "it made nothing");
    assert!(stderr(&development_with_key(folder.path())).contains("not made by --dev"));
}

#[test]
fn what_a_command_made_is_for_production() {
    let folder = tempfile::tempdir().unwrap();
    let mut migrate = wardgate();
    migrate.args(["migrate", "--data-dir"]).arg(folder.path()).env("WARDGATE_SERVER__MASTER_KEY", KEY);
    assert!(stdout(&migrate.output().unwrap()).contains("applied 0001_tenants"));
    assert!(stderr(&development_with_key(folder.path())).contains("not made by --dev"));
    drop(Server::spawn(production(folder.path(), KEY)));
}

#[test]
fn another_key_does_not_open_the_database() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::spawn(production(folder.path(), KEY)));
    let other = KEY.replace('q', "r");
    let refused = production(folder.path(), &other).output().unwrap();
    assert!(stderr(&refused).contains("master key does not open"), "{refused:?}");
}

#[test]
fn other_files_in_the_folder_are_nobodys_business() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.db"), "mine").unwrap();
    drop(Server::start(folder.path()));
    assert_eq!(fs::read_to_string(folder.path().join("app.db")).unwrap(), "mine");
}
