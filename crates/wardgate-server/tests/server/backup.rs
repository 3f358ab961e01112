//! Backups of a running server, and what comes back with them: everything that was acknowledged, and nothing that was
//! revoked (S-144).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::mail::token;
use crate::support::{PASSWORD, Server, post, run, stderr, stdout, tokens, wardgate};

/// The port changes with each start, and with it the issuer that a development server would take.
pub(crate) const ENVIRONMENT: [(&str, &str); 2] =
    [("WARDGATE_SERVER__ISSUER", "http://localhost:1"), ("WARDGATE_RATE_LIMIT__ENABLED", "false")];

pub(crate) fn start(folder: &Path) -> Server {
    Server::start_with(folder, &ENVIRONMENT)
}

pub(crate) fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(folder, &[arguments, &["--json"]].concat()))).unwrap()
}

fn back_up(folder: &Path, file: &Path) -> Output {
    run(folder, &["backup", file.to_str().unwrap()])
}

fn restore(folder: &Path, file: &Path, options: &[&str]) -> Output {
    run(folder, &[&["restore", file.to_str().unwrap()], options].concat())
}

fn refresh(server: &Server, token: &str) -> u16 {
    server.post("/auth/refresh", &json!({ "refresh_token": token })).0
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A server's folder with a user, stopped, and a backup of it, whose audit log is all sealed.
fn backed_up() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, backup) = (scratch.path().join("data"), scratch.path().join("backup.db"));
    let server = start(&folder);
    server.register("ada@example.com");
    stop(server);
    stdout(&back_up(&folder, &backup));
    (scratch, backup)
}

pub(crate) fn stop(mut server: Server) {
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}

/// Registers users and refreshes a session until it is told to stop.
fn storm(base: &str, number: usize, pair: (String, String), told: &Mutex<Vec<String>>, stop: &AtomicBool) {
    let mut newest = pair.1;
    for step in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if step % 4 == 0 {
            let email = format!("user{number}-{step}@example.com");
            let body = json!({ "email": email, "password": PASSWORD });
            assert_eq!(post(base, "/auth/register", &body).unwrap().0, 201);
            told.lock().unwrap().push(email);
        }
        let (status, body) = post(base, "/auth/refresh", &json!({ "refresh_token": newest })).unwrap();
        assert_eq!(status, 200, "{body}");
        newest = tokens(&body).1;
    }
}

#[test]
fn a_backup_made_in_a_storm_of_writes_has_all_that_was_acknowledged_before() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, backup) = (scratch.path().join("data"), scratch.path().join("backup.db"));
    let server = start(&folder);
    server.register("ada@example.com");
    let before = server.log_in("ada@example.com");
    let (told, done) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let acknowledged = std::thread::scope(|threads| {
        for number in 0..3 {
            let (pair, base) = (server.log_in("ada@example.com"), server.base.clone());
            let (told, done) = (&told, &done);
            threads.spawn(move || storm(&base, number, pair, told, done));
        }
        let enough = || told.lock().unwrap().len() >= 12;
        while !enough() {
            std::thread::yield_now();
        }
        let acknowledged = told.lock().unwrap().clone();
        let made = json_of(&folder, &["backup", backup.to_str().unwrap()]);
        assert_eq!(made["bytes"], fs::metadata(&backup).unwrap().len());
        // Nobody's write was refused or lost meanwhile: the storm asserts that each is answered.
        done.store(true, Ordering::Relaxed);
        acknowledged
    });
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    stop(server);

    let other = scratch.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::copy(folder.join("master.key"), other.join("master.key")).unwrap();
    let restored = json_of(&other, &["restore", backup.to_str().unwrap()]);
    assert_eq!(restored["kept"], Value::Null);
    assert_eq!(restored["ended"]["sessions"], 4, "{restored}");
    assert_eq!(names(&other), ["master.key", "wardgate.db", "wardgate.lock"]);
    let server = start(&other);
    assert_eq!(server.get("/auth/me", &before.0).0, 401);
    assert_eq!(refresh(&server, &before.1), 401);
    for email in &acknowledged {
        let (access, _) = server.log_in(email);
        assert_eq!(server.get("/auth/me", &access).0, 200);
    }
    let records = json_of(&other, &["audit", "list", "--action", "database.restored"]);
    assert_eq!(records.as_array().unwrap().len(), 1);
    assert_eq!(
        (&records[0]["actor"], &records[0]["target"]),
        (&json!("command_line"), &json!("api_keys_revoked"))
    );
    stdout(&run(&other, &["audit", "verify"]));
}

/// A user, a session, two API keys, a signing key and a mailed link, backed up; then all but one API key are revoked.
struct Revoked {
    folder: PathBuf,
    backup: PathBuf,
    access: String,
    refresh: String,
    revoked_key: String,
    live_key: String,
    kid: String,
    link: String,
    _scratch: tempfile::TempDir,
}

impl Revoked {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, backup) = (scratch.path().join("data"), scratch.path().join("backup.db"));
        let server = start(&folder);
        server.register("ada@example.com");
        let (access, refresh_token) = server.log_in("ada@example.com");
        stdout(&run(&folder, &["service-account", "create", "ci"]));
        let key = |name: &str| {
            let made = json_of(&folder, &["api-key", "create", "--service-account", "ci", "--name", name]);
            (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
        };
        let ((revoked_id, revoked_key), (_, live_key)) = (key("revoked"), key("live"));
        let kid = signing(&folder);
        let link = mailed_link(&server);
        stdout(&back_up(&folder, &backup));

        let out = json!({ "refresh_token": refresh_token });
        assert_eq!(server.post("/auth/logout", &out).0, 204);
        stdout(&run(&folder, &["api-key", "revoke", &revoked_id]));
        stdout(&run(&folder, &["key", "retire", &kid, "--now"]));
        let reset = json!({ "token": link, "new_password": PASSWORD });
        assert_eq!(server.post("/auth/password/reset", &reset).0, 204);
        stop(server);
        Self {
            folder,
            backup,
            access,
            refresh: refresh_token,
            revoked_key,
            live_key,
            kid,
            link,
            _scratch: scratch,
        }
    }

    fn who(server: &Server, key: &str) -> u16 {
        server.get_with("/auth/me", "x-api-key", key).0
    }
}

/// The key that signs.
fn signing(folder: &Path) -> String {
    let keys = json_of(folder, &["key", "list"]);
    let signing = keys.as_array().unwrap().iter().find(|key| key["state"] == "signing").unwrap();
    signing["kid"].as_str().unwrap().to_owned()
}

/// The token of a link that lets Ada set another password, taken from the inbox of the development server.
fn mailed_link(server: &Server) -> String {
    let asked = server.post("/auth/password/forgot", &json!({ "email": "ada@example.com" }));
    assert_eq!(asked.0, 202);
    let inbox = format!("{}/dev/inbox", server.base);
    loop {
        let page = ureq::get(&inbox).call().unwrap().body_mut().read_to_string().unwrap();
        if let Some((_, link)) = page.split_once("/auth/password/reset#token=") {
            return token(&format!("#token={link}"));
        }
        std::thread::yield_now();
    }
}

// S-144
#[test]
fn nothing_revoked_comes_back_with_a_backup() {
    let world = Revoked::new();
    let Revoked { folder, backup, .. } = &world;
    let restored = json_of(folder, &["restore", backup.to_str().unwrap(), "--force"]);
    let ended = &restored["ended"];
    assert_eq!(
        (&ended["sessions"], &ended["api_keys"], &ended["signing_keys"]),
        (&json!(1), &json!(2), &json!(1))
    );
    // The mailed one, that which proves the address, and that of the first superadmin.
    assert_eq!(ended["links"], 3, "{ended}");
    // What was there is still there, and whole.
    let kept = rusqlite::Connection::open(restored["kept"].as_str().unwrap()).unwrap();
    let ended: i64 = kept
        .query_row("SELECT count(*) FROM sessions WHERE end_reason = 'signed_out'", (), |row| row.get(0))
        .unwrap();
    assert_eq!(ended, 1);

    let server = start(folder);
    assert_eq!(server.get("/auth/me", &world.access).0, 401);
    assert_eq!(refresh(&server, &world.refresh), 401);
    assert_eq!(Revoked::who(&server, &world.revoked_key), 403);
    assert_eq!(Revoked::who(&server, &world.live_key), 403, "nobody can tell that it was not revoked");
    let keys = json_of(folder, &["key", "list"]);
    let retired = keys.as_array().unwrap().iter().find(|key| key["kid"] == *world.kid).unwrap();
    assert_eq!(retired["state"], "retired");
    assert_ne!(signing(folder), world.kid);
    let reset = json!({ "token": world.link, "new_password": "another one of theirs" });
    assert_eq!(server.post("/auth/password/reset", &reset).0, 400);
    let (access, _) = server.log_in("ada@example.com");
    assert_eq!(server.get("/auth/me", &access).0, 200);
    stdout(&run(folder, &["audit", "verify"]));
}

#[test]
fn api_keys_go_on_for_those_who_know_that_none_was_revoked() {
    let world = Revoked::new();
    let said = stdout(&restore(&world.folder, &world.backup, &["--force", "--keep-api-keys"]));
    assert!(said.contains("open again"), "{said}");
    let server = start(&world.folder);
    assert_eq!(Revoked::who(&server, &world.live_key), 200);
    assert_eq!(refresh(&server, &world.refresh), 401);
    let records = json_of(&world.folder, &["audit", "list", "--action", "database.restored"]);
    assert_eq!(records[0]["target"], "api_keys_kept");
}

#[test]
fn what_was_put_back_by_other_means_is_ended_in_place() {
    let world = Revoked::new();
    let Revoked { folder, backup, .. } = &world;
    for left in ["wardgate.db-wal", "wardgate.db-shm"] {
        let _ = fs::remove_file(folder.join(left));
    }
    fs::copy(backup, folder.join("wardgate.db")).unwrap();
    let server = start(folder);
    assert_eq!(server.get("/auth/me", &world.access).0, 200, "this is what the command is for");
    stdout(&run(folder, &["restore", "--in-place"]));
    assert_eq!(server.get("/auth/me", &world.access).0, 401);
    assert_eq!(refresh(&server, &world.refresh), 401);
    assert_eq!(Revoked::who(&server, &world.revoked_key), 403);
    server.log_in("ada@example.com");
}

#[test]
fn nothing_is_overwritten_unasked() {
    let (scratch, backup) = backed_up();
    let folder = scratch.path().join("data");
    let before = fs::read(&backup).unwrap();
    let refused = back_up(&folder, &backup);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--force"), "{refused:?}");
    let refused = restore(&folder, &backup, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--force"), "{refused:?}");
    assert_eq!(fs::read(&backup).unwrap(), before);
    assert_eq!(names(&folder), ["master.key", "wardgate.db", "wardgate.lock"]);

    fs::write(&backup, "an older one").unwrap();
    fs::set_permissions(&backup, fs::Permissions::from_mode(0o644)).unwrap();
    stdout(&run(&folder, &["backup", backup.to_str().unwrap(), "--force"]));
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(scratch.path()), ["backup.db", "data"]);
    stdout(&restore(&folder, &backup, &["--force"]));
    let first = ["master.key", "wardgate.db", "wardgate.db.before-restore-1", "wardgate.lock"];
    assert_eq!(names(&folder), first);
    stdout(&restore(&folder, &backup, &["--force"]));
    assert!(folder.join("wardgate.db.before-restore-2").exists());
}

#[test]
fn a_server_that_runs_keeps_its_database() {
    let (scratch, backup) = backed_up();
    let folder = scratch.path().join("data");
    let server = start(&folder);
    let refused = restore(&folder, &backup, &["--force"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("stop it first"), "{refused:?}");
    server.log_in("ada@example.com");
}

#[test]
fn what_is_no_good_backup_is_refused_and_the_database_stays() {
    let (scratch, backup) = backed_up();
    let folder = scratch.path().join("data");
    let good = fs::read(&backup).unwrap();
    let there = fs::read(folder.join("wardgate.db")).unwrap();
    let bad = scratch.path().join("bad.db");
    let refused = |expected: &str| {
        let refused = restore(&folder, &bad, &["--force"]);
        assert_eq!(refused.status.code(), Some(1), "{expected}: {refused:?}");
        assert!(stderr(&refused).contains(expected), "{refused:?}");
        assert_eq!(names(&folder), ["master.key", "wardgate.db", "wardgate.lock"], "{expected}");
        assert_eq!(fs::read(folder.join("wardgate.db")).unwrap(), there, "{expected}");
    };
    let with = |sql: &str| {
        fs::write(&bad, &good).unwrap();
        rusqlite::Connection::open(&bad).unwrap().execute_batch(sql).unwrap();
    };
    refused("bad.db");
    fs::write(
        &bad,
        "no database at all, but long enough to have a header of one hundred bytes, which this has by now",
    )
    .unwrap();
    refused("damaged, or no database");
    fs::write(&bad, &good[..good.len() / 2]).unwrap();
    refused("damaged");
    fs::write(&bad, "").unwrap();
    refused("no Wardgate database");
    with("INSERT INTO schema_migrations VALUES (9999, 'later', '')");
    refused("newer version");
    with("PRAGMA foreign_keys = OFF; DELETE FROM users");
    refused("refer to rows that are not there");
    with(
        "UPDATE audit_events SET target = 'usr_00000000000000000000000000' WHERE action = 'user.registered'",
    );
    refused("audit log of tenant default");
    with("SELECT 1");
    fs::write(scratch.path().join("bad.db-wal"), "commits").unwrap();
    refused("in use");
    fs::remove_file(scratch.path().join("bad.db-wal")).unwrap();

    let stranger = scratch.path().join("stranger");
    stop(start(&stranger));
    fs::remove_file(stranger.join("wardgate.db")).unwrap();
    let refused = restore(&stranger, &backup, &[]);
    assert!(stderr(&refused).contains("master key does not open"), "{refused:?}");
    assert_eq!(names(&stranger), ["master.key", "wardgate.lock"]);
}

#[test]
fn a_backup_is_streamed_whole_and_leaves_nothing_behind() {
    let (scratch, backup) = backed_up();
    let folder = scratch.path().join("data");
    let streamed = run(&folder, &["backup", "-"]);
    assert!(streamed.status.success(), "{streamed:?}");
    let before = names(&folder);
    fs::write(&backup, &streamed.stdout).unwrap();
    assert_eq!(before, ["master.key", "wardgate.db", "wardgate.lock"]);
    stdout(&restore(&folder, &backup, &["--force"]));
    start(&folder).log_in("ada@example.com");
    assert_eq!(run(&folder, &["backup", "-", "--json"]).status.code(), Some(2));
}

#[test]
fn postgresql_is_sent_to_its_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, tool) in [(["backup", "a.db"], "pg_dump"), (["restore", "a.db"], "pg_restore")] {
        let mut command = wardgate();
        command.args(arguments).arg("--data-dir").arg(folder.path());
        command.env("WARDGATE_DATABASE__URL", "postgres://w:kR8sPq2x@db.invalid/w");
        let refused = command.output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        let said = stderr(&refused);
        assert!(said.contains(tool) && said.contains("--in-place"), "{said}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn the_database_itself_is_no_place_for_its_backup() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let server = start(&folder);
    let (database, other) = (folder.join("wardgate.db"), scratch.path().join("other name.db"));
    std::os::unix::fs::symlink(&database, &other).unwrap();
    for place in [&database, &folder.join("wardgate.db-wal"), &other] {
        let refused = stderr(&run(&folder, &["backup", place.to_str().unwrap(), "--force"]));
        assert!(refused.contains("is the database itself"), "{refused}");
    }
    server.register("ada@example.com");
    stop(server);
    assert_eq!(json_of(&folder, &["user", "list"])[0]["email"], "ada@example.com");
}

#[test]
fn a_backup_that_is_not_there_is_named_and_nothing_is_made_for_it() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let refused = stderr(&run(&folder, &["restore", "nowhere.db"]));
    assert!(refused.contains("nowhere.db: No such file"), "{refused}");
    assert!(!folder.exists());
}

#[test]
fn a_database_that_another_program_has_open_stays() {
    let (scratch, backup) = backed_up();
    let folder = scratch.path().join("data");
    let other = rusqlite::Connection::open(folder.join("wardgate.db")).unwrap();
    other.query_row("SELECT count(*) FROM users", (), |row| row.get::<_, i64>(0)).unwrap();
    let before = fs::read(folder.join("wardgate.db")).unwrap();
    let refused = stderr(&restore(&folder, &backup, &["--force"]));
    assert!(refused.contains("another program has") && refused.contains("end it first"), "{refused}");
    assert!(!names(&folder).iter().any(|name| name.contains("restore") || name.contains("part")));
    assert_eq!(fs::read(folder.join("wardgate.db")).unwrap(), before);
    drop(other);
    stdout(&restore(&folder, &backup, &["--force"]));
    assert!(names(&folder).contains(&"wardgate.db.before-restore-1".to_owned()));
}
