//! Tenants from the command line, beside a running server.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, run, run_with_input, stderr, stdout};

#[test]
fn a_tenant_is_made_used_suspended_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder);
    assert!(
        stdout(&run(folder, &["tenant", "create", "acme", "--name", "Acme"])).starts_with("made acme (ten_")
    );
    let create = [
        "user",
        "create",
        "--tenant",
        "acme",
        "--email",
        "boss@acme.com",
        "--role",
        "admin",
        "--password-stdin",
    ];
    stdout(&run_with_input(folder, &create, &format!("{PASSWORD}\n")));
    let login = json!({ "email": "boss@acme.com", "password": PASSWORD });
    let (status, tokens) = server.post("/t/acme/auth/login", &login);
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(server.post("/auth/login", &login).0, 401);
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/t/acme/auth/me", &access).1["tenant"], "acme");
    let users: Value = serde_json::from_str(&stdout(&run(folder, &["user", "list", "--json"]))).unwrap();
    assert_eq!(users, json!([]));
    let shown = stdout(&run(
        folder,
        &["tenant", "set", "acme", "--registration", "closed", "--host", "login.acme.com"],
    ));
    assert!(shown.starts_with("changed acme"));
    assert!(stdout(&run(folder, &["tenant", "show", "acme"])).contains("login.acme.com"));
    let cleared =
        ["--registration", "none", "--host", "none", "--min-password-length", "none", "--logo-url", "none"];
    stdout(&run(folder, &[&["tenant", "set", "acme"], cleared.as_slice()].concat()));
    let shown: Value =
        serde_json::from_str(&stdout(&run(folder, &["tenant", "show", "acme", "--json"]))).unwrap();
    assert_eq!(
        (&shown["registration"], &shown["hosts"], &shown["issuer_host"]),
        (&Value::Null, &json!([]), &Value::Null)
    );
    stdout(&run(folder, &["tenant", "set", "acme", "--rate-limit", "sign_in_source=60,refresh=90"]));
    let limits = || stdout(&run(folder, &["tenant", "show", "acme"])).lines().nth(9).unwrap().to_owned();
    assert_eq!(limits(), "limits        sign_in_source=60,refresh=90");
    stdout(&run(folder, &["tenant", "set", "acme", "--name", "Acme Inc."]));
    assert_eq!(limits(), "limits        sign_in_source=60,refresh=90");
    stdout(&run(folder, &["tenant", "set", "acme", "--rate-limit", "none"]));
    assert_eq!(limits(), "limits        -");
    let pages = || stdout(&run(folder, &["tenant", "show", "acme"])).lines().nth(10).unwrap().to_owned();
    let own = "reset_url=https://app.acme.com/reset,verify_url=https://app.acme.com/verify";
    stdout(&run(folder, &["tenant", "set", "acme", "--mail-url", own]));
    assert_eq!(
        pages(),
        "mail pages    verify_url=https://app.acme.com/verify,reset_url=https://app.acme.com/reset"
    );
    stdout(&run(folder, &["tenant", "set", "acme", "--mail-url", "none"]));
    assert_eq!(pages(), "mail pages    -");
    stdout(&run(folder, &["tenant", "suspend", "acme"]));
    assert_eq!(server.get("/t/acme/auth/me", &access).0, 403);
    stdout(&run(folder, &["tenant", "resume", "acme"]));
    assert!(stderr(&run(folder, &["tenant", "delete", "acme"])).contains("--yes"));
    stdout(&run(folder, &["tenant", "delete", "acme", "--yes"]));
    assert_eq!(server.get("/t/acme/auth/me", &access).0, 404);

    let refused = |arguments: &[&str], expected: &str| {
        let said = stderr(&run(folder, arguments));
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    refused(&["tenant", "create", "acme", "--name", "x"], "another slug");
    refused(&["tenant", "create", "default", "--name", "x"], "root");
    refused(&["tenant", "create", "A B", "--name", "x"], "hyphen");
    stdout(&run(folder, &["tenant", "create", "zeta", "--name", "Zeta"]));
    for (limits, expected) in [
        ("sign_in=5", "sign_in_strangers"),
        ("refresh", "refresh=60"),
        ("refresh=-1", "refresh=60"),
        ("refresh=1,refresh=2", "given before"),
        ("none,refresh=1", "stands alone"),
        ("sign_in_account=101", "from 1 to 100"),
    ] {
        refused(&["tenant", "set", "zeta", "--rate-limit", limits], expected);
    }
    for (urls, expected) in [
        ("reset=https://a.com", "reset_url"),
        ("reset_url=https://a.com,reset_url=https://b.com", "given before"),
        ("none,reset_url=https://a.com", "stands alone"),
        ("reset_url=http://a.com", "must be an https URL"),
        ("reset_url", "must be an https URL"),
    ] {
        refused(&["tenant", "set", "zeta", "--mail-url", urls], expected);
    }
    refused(&["tenant", "set", "zeta"], "nothing to change");
    refused(&["tenant", "set", "zeta", "--min-password-length", "many"], "invalid digit");
    refused(&["tenant", "show", "nobody"], "tenant list");
    refused(&["tenant", "suspend", "default"], "stays as it is");
    refused(&["user", "list", "--tenant", "nobody"], "tenant list");
}
