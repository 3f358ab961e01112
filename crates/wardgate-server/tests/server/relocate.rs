//! From SQLite to PostgreSQL with the real binary: everything goes on as it was. Needs `WARDGATE_TEST_POSTGRES`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wardgate_store::testing::{POSTGRES_VARIABLE, Scratch};

use crate::backup::{ENVIRONMENT, json_of, start, stop};
use crate::support::{PASSWORD, Server, development, run, stderr, stdout, wardgate};

/// An empty database, if there is a server to make one on.
pub(crate) fn empty() -> Option<Scratch> {
    let base = std::env::var(POSTGRES_VARIABLE).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Some(runtime.block_on(Scratch::postgres(&base, &[])).unwrap())
}

fn command(target: &Scratch, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = wardgate();
    command.args(arguments).arg("--data-dir").arg(folder);
    command.envs(ENVIRONMENT).env("WARDGATE_DATABASE__URL", target.url());
    command
}

/// One row for each table of the source, in another order.
fn rows(report: &Value) -> Vec<(String, u64)> {
    let table = |row: &Value| (row["table"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap());
    report["tables"].as_array().unwrap().iter().map(table).collect()
}

#[test]
fn everything_goes_on_as_it_was() {
    let Some(target) = empty() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = start(folder);
    server.register("ada@example.com");
    let (access, refresh) = server.log_in("ada@example.com");
    let used = server.post("/auth/refresh", &json!({ "refresh_token": refresh })).1;
    let refresh = used["refresh_token"].as_str().unwrap().to_owned();
    let (ended, _) = server.log_in("ada@example.com");
    assert_eq!(server.get("/auth/me", &ended).0, 200);
    stdout(&run(folder, &["service-account", "create", "ci"]));
    let key =
        json_of(folder, &["api-key", "create", "--service-account", "ci", "--name", "a"])["key"].clone();
    stdout(&run(folder, &["tenant", "create", "acme", "--name", "Acme"]));
    let grace = json!({ "email": "grace@example.com", "password": PASSWORD });
    assert_eq!(server.post("/t/acme/auth/register", &grace).0, 201);

    let url = folder.join("target.url");
    fs::write(&url, target.url()).unwrap();
    fs::set_permissions(&url, fs::Permissions::from_mode(0o600)).unwrap();
    let to_file = ["migrate", "--to-file", url.to_str().unwrap()];
    let refused = run(folder, &to_file);
    assert!(stderr(&refused).contains("stop it first"), "{refused:?}");
    stop(server);

    let planned = json_of(folder, &[&to_file[..], &["--dry-run"]].concat());
    assert_eq!(planned["dry_run"], true);
    let moved = json_of(folder, &to_file);
    let names: Vec<String> = rows(&moved).into_iter().map(|(name, _)| name).collect();
    assert_eq!(rows(&planned).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
    let count = |table: &str| rows(&moved).into_iter().find(|(name, _)| name == table).unwrap().1;
    assert_eq!((count("users"), count("sessions"), count("tenants")), (2, 2, 2));
    let place = |table: &str| names.iter().position(|name| name == table).unwrap();
    assert!(place("tenants") < place("users") && place("users") < place("sessions"));
    assert!(place("sessions") < place("refresh_tokens"));

    // Once, and not into what is not empty.
    let other = tempfile::tempdir().unwrap();
    stop(start(other.path()));
    let refused = run(other.path(), &["migrate", "--to", target.url()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("not empty"), "{refused:?}");

    let mut serve = development(folder, "127.0.0.1:0");
    serve.envs(ENVIRONMENT).env("WARDGATE_DATABASE__URL", target.url());
    let server = Server::spawn(serve);
    assert_eq!(server.get("/auth/me", &access).0, 200);
    let (status, pair) = server.post("/auth/refresh", &json!({ "refresh_token": refresh }));
    assert_eq!(status, 200, "{pair}");
    assert_eq!(server.get_with("/auth/me", "x-api-key", key.as_str().unwrap()).0, 200);
    server.log_in("ada@example.com");
    assert_eq!(server.post("/t/acme/auth/login", &grace).0, 200);
    for tenant in ["default", "acme"] {
        let verified = command(&target, folder, &["audit", "verify", "--tenant", tenant]).output().unwrap();
        assert!(stdout(&verified).contains("hold"));
    }
    stop(server);

    // The source is whole, but whoever was shut out since would come in there.
    let refused = stderr(&development(folder, "127.0.0.1:0").envs(ENVIRONMENT).output().unwrap());
    assert!(refused.contains("was moved to") && refused.contains("--in-place"), "{refused}");
    stdout(&run(folder, &["restore", "--in-place"]));
    let server = start(folder);
    assert_eq!(server.get("/auth/me", &access).0, 401);
    server.log_in("ada@example.com");
}

#[test]
fn a_target_that_is_anothers_is_left_alone() {
    let Some(target) = empty() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stop(start(folder));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let table =
        wardgate_store::Migration { version: 1, name: "theirs", sql: "CREATE TABLE theirs (id {id})" };
    runtime.block_on(target.db().migrate(&[table])).unwrap();
    let refused = run(folder, &["migrate", "--to", target.url()]);
    assert_eq!(refused.status.code(), Some(1));
    // Its one migration has our first one's number.
    assert!(stderr(&refused).contains("was changed after"), "{refused:?}");
    start(folder);
}

#[test]
fn no_password_is_given_as_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    stop(start(folder));
    let refused = run(folder, &["migrate", "--to", "postgres://w:kR8sPq2x@db.invalid/w"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("--to-file") && !said.contains("kR8sPq2x"), "{said}");

    let url = folder.join("target.url");
    fs::write(&url, "postgres://w:kR8sPq2x@db.invalid/w").unwrap();
    fs::set_permissions(&url, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = run(folder, &["migrate", "--to-file", url.to_str().unwrap()]);
    let said = stderr(&refused);
    assert!(said.contains("chmod 600") && !said.contains("kR8sPq2x"), "{said}");
    let refused = run(folder, &["migrate", "--to", "sqlite://other.db"]);
    assert!(stderr(&refused).contains("moved to PostgreSQL"), "{refused:?}");
}
