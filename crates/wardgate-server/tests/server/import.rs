//! Users brought in and written out by the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Server, development, run, run_with_input, stderr, stdout, wardgate};

/// As Django's PBKDF2 hashes it, with few rounds.
const HASH: &str = "pbkdf2_sha256$1500$zK3mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=";
const PASSWORD: &str = "corréct hørse 電池";

/// A folder with a database, and room for files beside it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        drop(Server::start(&place.data()));
        place
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn import(&self, arguments: &[&str]) -> Output {
        run(&self.data(), &[&["import", "users"], arguments].concat())
    }

    fn export(&self, arguments: &[&str]) -> Output {
        run(&self.data(), &[&["export", "users"], arguments].concat())
    }

    /// What `--json` tells of a file.
    fn told(&self, arguments: &[&str]) -> Value {
        let output = self.import(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

/// `line field code`, as far as there is one.
fn faults(told: &Value) -> Vec<String> {
    let text = |fault: &Value| {
        let word = |name: &str| fault[name].as_str().unwrap().to_owned();
        format!("{} {} {}", fault["line"], word("field"), word("code"))
    };
    told["faults"].as_array().unwrap().iter().map(text).collect()
}

fn totals(told: &Value) -> [u64; 3] {
    ["made", "already_there", "refused"].map(|name| told[name].as_u64().unwrap())
}

fn log_in(server: &Server, email: &str) -> u16 {
    server.post("/auth/login", &json!({ "email": email, "password": PASSWORD })).0
}

fn user(n: usize) -> String {
    format!("{}\n", json!({ "email": format!("user{n}@example.com"), "password_hash": HASH }))
}

#[test]
fn users_come_in_while_the_server_runs_and_sign_in() {
    let place = Place::new();
    let server = Server::start(&place.data());
    let file = place.file("users.jsonl", [user(1), user(2)].concat());
    let dry = stdout(&place.import(&[&file, "--dry-run"]));
    assert_eq!(dry, "2 would be made, 0 already there, 0 refused\n");
    assert_eq!(log_in(&server, "user1@example.com"), 401);
    let done = place.import(&[&file]);
    assert_eq!(stdout(&done), "2 made, 0 already there, 0 refused\n");
    assert!(done.stderr.is_empty(), "no bar where nobody watches: {done:?}");
    assert_eq!(log_in(&server, "user1@example.com"), 200);
    assert_eq!(stdout(&place.import(&[&file])), "0 made, 2 already there, 0 refused\n");
    let log = stdout(&run(&place.data(), &["audit", "tail", "--json"]));
    assert_eq!(log.matches("user.imported").count(), 2);
    assert_eq!(log.matches("password.rehashed").count(), 1);
    assert!(!log.contains("pbkdf2") && !log.contains("RtpV3Hd8"), "{log}");
}

#[test]
fn faults_are_told_by_line_and_the_rest_goes_in() {
    let place = Place::new();
    let lines = [
        user(1),
        "nonsense\r\n".to_owned(),
        "\r\n".to_owned(),
        format!("{}\n", json!({ "email": "nobody" })),
        format!("{}\n", json!({ "email": "a@example.com", "passwd": "x" })),
        format!("{}\n", json!({ "email": "a@example.com", "password_hash": format!("{HASH}x") })),
        format!(
            "{}\n",
            json!({ "email": "a@example.com", "password_hash": HASH.replace("$1500$", "$99999999$") })
        ),
        format!("{}\n", json!({ "email": "a@example.com", "roles": ["nothing"] })),
        format!("{{\"email\":\"{}\"}}\n", "x".repeat(70_000)),
        format!("{}\n", json!({ "email": "user1@example.com" })),
        user(1),
        user(2).trim_end().to_owned(),
    ];
    let file = place.file("users.ndjson", format!("\u{feff}{}", lines.concat()));
    let output = place.import(&[&file]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 made, 1 already there, 8 refused\n");
    let said = stderr(&output);
    let expected = [
        "line 2: is not JSON, as of column 2",
        "line 4: email: is not an e-mail address",
        "line 5: there is no field \"passwd\"; there are email, name,",
        "line 6: password_hash: is not whole, or of no form that is known",
        "line 7: password_hash: is refused: its parameters would cost too much",
        "line 8: roles: there is no role \"nothing\"",
        "line 9: is longer than 64 KiB",
        "line 10: email: has an account that was not made from this line",
        "error: 8 lines were refused; correct them and run this again",
    ];
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains("RtpV3Hd8"), "{said}");
    }
    let told = place.told(&[&file]);
    assert_eq!((totals(&told), &told["dry_run"]), ([0, 3, 8], &json!(false)));
    assert_eq!(faults(&told)[..2], ["2  malformed_json", "4 email invalid_email"]);
}

#[test]
fn csv_is_read_as_programs_write_it() {
    let place = Place::new();
    let content = format!(
        "\u{feff}email,name,roles,password_hash\r\n\
         ada@example.com,\"Lovelace, Ada\",\"user,admin\",{HASH}\r\n\
         \"two\nlines@example.com\",x,,\r\n\
         short@example.com\r\n\
         eve@example.com,\"Eve\r\nMallory\",,\r\n\
         quo\"te@example.com,x,,\r\n\
         bob@example.com,,,\r\n\
         end@example.com,\"never closed,,\r\n"
    );
    let file = place.file("users.csv", content);
    let told = place.told(&[&file]);
    assert_eq!(totals(&told), [2, 0, 5]);
    let expected = [
        "3 email invalid_email",
        "5  malformed_csv",
        "6 name control_character",
        "8  malformed_csv",
        "10  malformed_csv",
    ];
    assert_eq!(faults(&told), expected);
    let ada = stdout(&run(&place.data(), &["user", "show", "--email", "ada@example.com", "--json"]));
    let ada: Value = serde_json::from_str(&ada).unwrap();
    assert_eq!((&ada["name"], &ada["roles"]), (&json!("Lovelace, Ada"), &json!(["admin", "user"])));
}

#[test]
fn a_file_that_cannot_be_meant_changes_nothing() {
    let place = Place::new();
    let headless = format!("a@example.com,{HASH}\n");
    for (name, content, fault) in [
        ("headless-with-a-hash.csv", headless.as_str(), "1  missing_header"),
        ("unknown.csv", "email,pasword\na@example.com,x\n", "1  unknown_field"),
        ("semicolons.csv", "email;name\na@example.com;x\n", "1  missing_header"),
        ("headless.csv", "a@example.com,x\n", "1  missing_header"),
        ("twice.csv", "email,email\n", "1 email duplicate_field"),
        ("empty.csv", "", "1  missing_header"),
    ] {
        let told = place.told(&[&place.file(name, content)]);
        assert_eq!(totals(&told), [0, 0, 1], "{name}");
        assert_eq!(faults(&told)[0], fault, "{name}");
        assert!(!told.to_string().contains("RtpV3Hd8"), "{told}");
    }
    let empty = place.file("empty.jsonl", "");
    assert_eq!(stdout(&place.import(&[&empty])), "0 made, 0 already there, 0 refused\n");
    let only_header = place.file("header.csv", "email\n");
    assert_eq!(totals(&place.told(&[&only_header])), [0, 0, 0]);
    for (arguments, said) in [
        (&["-"][..], "add --format"),
        (&["users.json"], "add --format"),
        (&["/nowhere/users.csv"], "/nowhere/users.csv: No such file"),
        (&["/tmp", "--format", "csv"], "is a folder"),
    ] {
        let output = place.import(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(said), "{output:?}");
    }
    assert_eq!(stdout(&run(&place.data(), &["user", "list", "--json"])), "[]\n");
}

#[test]
fn that_nobody_reads_the_faults_keeps_nobody_out() {
    let place = Place::new();
    let file = place.file("users.jsonl", format!("x\n{}y\n{}", user(1), user(2)));
    for json in [&[][..], &["--json"]] {
        let mut command = wardgate();
        command.args(["import", "users", &file, "--data-dir"]).arg(place.data()).args(json);
        let mut import = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((import.stdout.take(), import.stderr.take()));
        assert_eq!(import.wait().unwrap().code(), Some(1));
    }
    assert_eq!(totals(&place.told(&[&file])), [0, 2, 2]);
}

#[test]
fn standard_input_is_a_file_too() {
    let place = Place::new();
    let arguments = ["import", "users", "-", "--format", "csv"];
    let output = run_with_input(&place.data(), &arguments, "email\na@example.com\n");
    assert_eq!(stdout(&output), "1 made, 0 already there, 0 refused\n");
}

#[test]
fn what_is_exported_is_imported_again() {
    let place = Place::new();
    let file = place.file("users.jsonl", [user(1), user(2)].concat());
    stdout(&place.import(&[&file]));
    let plain = place.export(&[]);
    assert!(plain.stderr.is_empty());
    let plain = stdout(&plain);
    assert_eq!(plain.lines().count(), 2);
    assert!(!plain.contains("password") && !plain.contains("pbkdf2"), "{plain}");
    let header = stdout(&place.export(&["--format", "csv"]));
    assert!(header.starts_with("email,name,email_verified,is_active,roles,created_at\nuser"), "{header}");

    for name in ["out.jsonl", "out.csv"] {
        let path = place.folder.path().join(name);
        let target = path.to_str().unwrap();
        let output = place.export(&["--output", target, "--with-password-hashes"]);
        assert!(
            String::from_utf8_lossy(&output.stderr).starts_with("warning: this export holds password hashes")
        );
        assert!(stdout(&output).starts_with("exported 2 users to "));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = place.export(&["--output", target]);
        assert_eq!(again.status.code(), Some(2));
        assert!(stderr(&again).contains("is there already"));

        let elsewhere = Place::new();
        assert_eq!(totals(&elsewhere.told(&[target])), [2, 0, 0], "{name}");
        let server = Server::start(&elsewhere.data());
        assert_eq!(log_in(&server, "user2@example.com"), 200, "{name}");
    }
}

/// Starts an import of `file` and kills it once some users are there, but not all.
fn kill_midway(data: &Path, file: &str, server: &Server) {
    let mut command = wardgate();
    command.args(["import", "users", file, "--data-dir"]).arg(data);
    let mut import = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while log_in(server, "user0@example.com") != 200 {
        assert!(import.try_wait().unwrap().is_none(), "it was over before anybody could sign in");
    }
    import.kill().unwrap();
    import.wait().unwrap();
}

#[test]
fn an_import_that_was_killed_is_gone_on_with_while_the_server_serves() {
    const USERS: usize = 20_000;
    let place = Place::new();
    let mut command = development(&place.data(), "127.0.0.1:0");
    command.env("WARDGATE_RATE_LIMIT__ENABLED", "false");
    let server = Server::spawn(command);
    let file = place.file("users.jsonl", (0..USERS).map(user).collect::<String>());
    kill_midway(&place.data(), &file, &server);
    let [made, there, refused] = totals(&place.told(&[&file]));
    assert_eq!((made + there, refused), (USERS as u64, 0));
    assert!(made > 0 && there > 0, "{made} made, {there} already there");
    assert_eq!(there % 500, 0, "what was killed left whole batches");
    assert_eq!(log_in(&server, &format!("user{}@example.com", USERS - 1)), 200);
}
