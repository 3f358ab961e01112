//! Roles, service accounts and API keys from the command line, beside a running server.

use serde_json::{Value, json};

use crate::support::{Server, run, stderr, stdout};

fn json_of(folder: &std::path::Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(folder, &[arguments, &["--json"]].concat()))).unwrap()
}

#[test]
fn a_machine_gets_a_role_and_a_key_and_loses_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder);
    let made = stdout(&run(folder, &["role", "create", "editor", "--permission", "notes:read,notes:write"]));
    assert_eq!(made, "made editor: notes:read notes:write\n");
    let roles = stdout(&run(folder, &["role", "list"]));
    assert!(roles.contains("editor") && roles.contains("superadmin"), "{roles}");
    stdout(&run(folder, &["service-account", "create", "ci", "--role", "editor"]));
    assert_eq!(json_of(folder, &["service-account", "list"])[0]["roles"], json!(["editor"]));

    let create =
        ["api-key", "create", "--service-account", "ci", "--name", "deploy", "--scope", "notes:read"];
    let shown = stdout(&run(folder, &create));
    let key = shown.lines().nth(1).unwrap().to_owned();
    let who = |key: &str| server.get_with("/auth/me", "x-api-key", key);
    assert_eq!(who(&key).1["permissions"], json!(["notes:read"]));
    let listed = json_of(folder, &["api-key", "list", "--service-account", "ci"]);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let rotated = json_of(folder, &["api-key", "rotate", &id, "--overlap", "0"]);
    assert_eq!(who(&key).0, 403);
    let key = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!(who(&key).0, 200);
    assert!(stderr(&run(folder, &["api-key", "rotate", &id])).contains("no live key"));

    stdout(&run(folder, &["role", "set-permissions", "editor", "--permission", "notes:write"]));
    assert_eq!(who(&key).1["permissions"], json!([]));
    stdout(&run(folder, &["service-account", "disable", "ci"]));
    assert_eq!(who(&key).0, 403);
    stdout(&run(folder, &["service-account", "enable", "ci"]));
    assert_eq!(who(&key).0, 200);
    let id = rotated["id"].as_str().unwrap();
    assert!(stdout(&run(folder, &["api-key", "revoke", id])).contains("opens nothing more"));
    assert_eq!(who(&key).0, 403);

    assert!(stderr(&run(folder, &["role", "delete", "editor"])).contains("take it away first"));
    assert!(stderr(&run(folder, &["service-account", "delete", "ci"])).contains("--yes"));
    stdout(&run(folder, &["service-account", "delete", "ci", "--yes"]));
    stdout(&run(folder, &["role", "delete", "editor"]));
}

#[test]
fn what_cannot_be_done_with_machines_is_said_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _server = Server::start(folder);
    let refused = |arguments: &[&str], expected: &str| {
        let said = stderr(&run(folder, arguments));
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    refused(&["role", "create", "admin", "--permission", "a:b"], "built-in role");
    refused(&["role", "create", "x", "--permission", "everything"], "resource:action");
    refused(&["role", "set-permissions", "user", "--permission", "a:b"], "built in and stays");
    refused(&["role", "delete", "x"], "role list");
    refused(&["service-account", "create", "a b"], "letters");
    refused(&["service-account", "create", "x", "--role", "superadmin"], "for people");
    refused(&["service-account", "create", "x", "--role", "nothing"], "no role");
    refused(&["service-account", "disable", "x"], "service-account list");
    stdout(&run(folder, &["service-account", "create", "x"]));
    refused(&["service-account", "create", "x"], "another name");
    refused(&["api-key", "create", "--name", "k"], "--email");
    refused(&["api-key", "create", "--service-account", "y", "--name", "k"], "service-account list");
    let create = ["api-key", "create", "--service-account", "x", "--name", "k"];
    refused(&[&create[..], &["--scope", "users:read"]].concat(), "beyond the owner's roles");
    refused(&[&create[..], &["--scope", "users"]].concat(), "there are users:read and users:write");
    refused(&[&create[..], &["--network", "10.0.0.0/99"]].concat(), "network");
    refused(&[&create[..], &["--expires-at", "2020-01-01T00:00:00Z"]].concat(), "future");
    refused(&[&create[..], &["--expires-at", "tomorrow"]].concat(), "RFC 3339");
    refused(&["api-key", "revoke", "key_00000000000070008000000000000000"], "no live key");
    refused(&["api-key", "revoke", "nonsense"], "not a valid id");
}
