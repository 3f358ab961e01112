//! Commands while the server runs: what they change counts at the very next request.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, run, run_with_input, stderr, stdout, tokens};

fn create(folder: &std::path::Path, email: &str, role: &str) -> std::process::Output {
    let arguments = ["user", "create", "--email", email, "--role", role, "--password-stdin"];
    run_with_input(folder, &arguments, &format!("{PASSWORD}\n"))
}

#[test]
fn users_are_made_and_changed_beside_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder);
    stdout(&create(folder, "ada@example.com", "user"));
    let (access, refresh) = server.log_in("ada@example.com");
    assert_eq!(server.get("/auth/me", &access).1["roles"], json!(["user"]));

    stdout(&run(folder, &["user", "set-role", "--email", "ADA@example.com", "--role", "admin"]));
    assert_eq!(server.get("/auth/me", &access).1["roles"], json!(["admin"]));

    stdout(&run(folder, &["user", "disable", "--email", "ada@example.com"]));
    assert_eq!(server.get("/auth/me", &access), (400, server.get("/auth/me", &access).1));
    assert_eq!(server.post("/auth/refresh", &json!({ "refresh_token": refresh })).0, 401);
    stdout(&run(folder, &["user", "enable", "--email", "ada@example.com"]));
    assert_eq!(server.get("/auth/me", &access).0, 401, "enabling revives no session");

    let (access, _) = server.log_in("ada@example.com");
    let set = ["user", "set-password", "--email", "ada@example.com", "--password-stdin"];
    stdout(&run_with_input(folder, &set, "an entirely new sentence\n"));
    assert_eq!(server.get("/auth/me", &access).0, 401);
    assert_eq!(
        server.post("/auth/login", &json!({ "email": "ada@example.com", "password": PASSWORD })).0,
        401
    );
    let new = json!({ "email": "ada@example.com", "password": "an entirely new sentence" });
    let (access, _) = tokens(&server.post("/auth/login", &new).1);

    let shown: Value = serde_json::from_str(&stdout(&run(folder, &["user", "list", "--json"]))).unwrap();
    assert_eq!(shown[0]["email"], "ada@example.com");
    assert!(stderr(&run(folder, &["user", "delete", "--email", "ada@example.com"])).contains("--yes"));
    stdout(&run(folder, &["user", "delete", "--email", "ada@example.com", "--yes"]));
    assert_eq!(server.get("/auth/me", &access).0, 401);
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("nothing");
    assert!(stderr(&run(&empty, &["user", "list"])).contains("no database at"));
    assert!(!empty.exists());
    let folder = folder.path().join("data");
    let _server = Server::start(&folder);
    stdout(&create(&folder, "root@example.com", "superadmin"));
    assert!(stderr(&create(&folder, "root@example.com", "user")).contains("has an account already"));
    assert!(stderr(&create(&folder, "nobody", "user")).contains("not an e-mail address"));
    assert!(
        stderr(&create(&folder, "x@example.com", "root")).contains("user, admin and superadmin are built in")
    );
    let create = ["user", "create", "--email", "x@example.com", "--password-stdin"];
    assert!(stderr(&run_with_input(&folder, &create, "\n")).contains("empty"));
    assert!(stderr(&run_with_input(&folder, &create, "password1\n")).contains("easy to guess"));
    assert!(stderr(&run_with_input(&folder, &create, "two words\nmore\n")).contains("one line"));
    let named = [&create[..], &["--name", "a\u{1b}[31m"]].concat();
    assert!(stderr(&run_with_input(&folder, &named, PASSWORD)).contains("control characters"));
    assert!(stderr(&run(&folder, &["user", "show", "--email", "x@example.com"])).contains("user list"));
    for arguments in [
        &["user", "disable", "--email", "root@example.com"][..],
        &["user", "delete", "--yes", "--email", "root@example.com"],
        &["user", "set-role", "--role", "user", "--email", "root@example.com"],
    ] {
        assert!(stderr(&run(&folder, arguments)).contains("last active superadmin"));
    }
}

#[test]
fn keys_are_rotated_and_retired_beside_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder);
    server.register("ada@example.com");
    let (access, _) = server.log_in("ada@example.com");
    let keys: Value = serde_json::from_str(&stdout(&run(folder, &["key", "list", "--json"]))).unwrap();
    let kid = keys[0]["kid"].as_str().unwrap();
    stdout(&run(folder, &["key", "rotate"]));
    assert_eq!(server.get("/auth/me", &access).0, 200);
    stdout(&run(folder, &["key", "retire", kid, "--now"]));
    assert_eq!(server.get("/auth/me", &access).0, 401);
    let (access, _) = server.log_in("ada@example.com");
    assert_eq!(server.get("/auth/me", &access).0, 200);
    assert!(stderr(&run(folder, &["key", "retire", kid, "--now"])).contains("key list"));
}

#[test]
fn the_setup_link_makes_the_first_superadmin_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path());
    let old = first.setup_token().unwrap();
    drop(first);
    let server = Server::start(folder.path());
    let token = server.setup_token().unwrap();
    let body = |token: &str| json!({ "token": token, "email": "root@example.com", "password": PASSWORD });
    assert_eq!(server.post("/auth/setup", &body(&old)).0, 401);
    assert_eq!(server.post("/auth/setup", &body(&token)).0, 201);
    assert_eq!(server.post("/auth/setup", &body(&token)).0, 401);
    drop(server);
    assert_eq!(Server::start(folder.path()).setup_token(), None);
}

#[test]
fn the_other_commands_print_what_they_promise() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(stdout(&run(folder, &["openapi"])).contains("\"openapi\": \"3.1.0\""));
    assert!(stdout(&run(folder, &["completions", "bash"])).contains("wardgate"));
    assert!(stdout(&run(folder, &["config", "schema"])).contains("access_ttl"));
    assert!(stdout(&run(folder, &["config", "show"])).contains("15m"));
    assert_eq!(run(folder, &["config", "check"]).status.code(), Some(2));
    assert!(stdout(&run(folder, &["migrate", "--dry-run"])).contains("would apply 0001_tenants"));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "looking made nothing");
    let _server = Server::start(folder);
    assert!(stdout(&run(folder, &["migrate"])).contains("up to date"));
    let records = stdout(&run(folder, &["audit", "tail", "-n", "5", "--json"]));
    let records: Value = serde_json::from_str(&records).unwrap();
    assert_eq!(records[0]["action"], "signing_key.created");
}

#[test]
fn a_key_of_another_algorithm_than_the_servers_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let (data, secret) = (folder.path().join("data"), folder.path().join("hs256.secret"));
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let environment = [
        ("WARDGATE_TOKENS__ALGORITHM", "HS256"),
        ("WARDGATE_TOKENS__HS256_SECRET_FILE", secret.to_str().unwrap()),
    ];
    let server = Server::start_with(&data, &environment);
    // The command does not have the server's variables.
    let refusal = stderr(&run(&data, &["key", "rotate"]));
    assert!(refusal.contains("tokens are signed with HS256"), "{refusal}");
    server.register("ada@example.com");
    let (access, _) = server.log_in("ada@example.com");
    assert_eq!(server.get("/auth/me", &access).0, 200);
    let keys: Value = serde_json::from_str(&stdout(&run(&data, &["key", "list", "--json"]))).unwrap();
    assert_eq!(keys.as_array().map(Vec::len), Some(1), "{keys}");
}
