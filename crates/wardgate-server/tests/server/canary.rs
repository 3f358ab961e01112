//! Secrets that go through the front door, and where they must not be found afterwards.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::mail::{self, MailServer};
use crate::support::{Server, agent, run, stdout};

const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const COOKIE: &str = "wardgate_session";

/// Of a client that is registered at another provider.
const CLIENT: &str = "canary-secret-of-the-client-at-a-provider";

/// What came in or went out and is a secret: in whole, and the part that makes it one, for a prefix may be shown.
struct Canaries<'s> {
    server: &'s Server,
    mails: &'s MailServer,
    secrets: Vec<String>,
}

struct Answer {
    status: u16,
    cookie: Option<String>,
    body: Value,
}

impl Canaries<'_> {
    fn add(&mut self, secret: &str) -> String {
        let tail: Vec<char> = secret.chars().rev().take(32).collect();
        assert!(tail.len() >= 24, "too short to be found by chance: {secret}");
        self.secrets.push(tail.into_iter().rev().collect());
        secret.to_owned()
    }

    /// A text of an answer that is a secret from now on.
    fn take(&mut self, answer: &Answer, field: &str) -> String {
        let text = answer.body[field].as_str().unwrap_or_else(|| panic!("no {field}: {}", answer.body));
        self.add(text)
    }

    /// The secret of the next link mailed to this address; those of other mails are secrets as well.
    fn mailed(&mut self, email: &str) -> String {
        loop {
            let mail = self.mails.next();
            if mail.data.contains("#token=") {
                let token = self.add(&mail::token(&mail.data));
                if mail.to.iter().any(|to| to.contains(email)) {
                    return token;
                }
            }
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.server.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let agent = agent();
        let answer = if matches!(method, "GET" | "DELETE") && body.is_empty() {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body.to_owned()).unwrap())
        };
        let mut answer = answer.unwrap();
        let status = answer.status().as_u16();
        let cookie = answer.headers().get("set-cookie").and_then(|set| {
            let value = set.to_str().ok()?.strip_prefix(COOKIE)?.strip_prefix('=')?.split(';').next()?;
            (!value.is_empty()).then(|| value.to_owned())
        });
        let text = answer.body_mut().read_to_string().unwrap();
        if status >= 400 {
            self.absent_from(&text, &format!("the answer of {method} {path}"));
        }
        Answer { status, cookie, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send("POST", path, &headers, &body.to_string())
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "")
    }

    fn absent_from(&self, text: &str, place: &str) {
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn expect(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
}

#[test]
fn no_secret_is_in_the_log_the_audit_records_an_error_or_the_database() {
    // S-131
    let folder = tempfile::tempdir().unwrap();
    let mails = MailServer::start();
    let smtp = format!("smtp://{}", mails.address);
    // Everything that any crate would ever say.
    let environment = [
        ("WARDGATE_TELEMETRY__LOG", "trace"),
        // Where nobody listens.
        ("WARDGATE_AUDIT__WEBHOOK_URL", "http://127.0.0.1:9/"),
        ("WARDGATE_AUDIT__WEBHOOK_SECRET", WEBHOOK),
        ("WARDGATE_PROVIDERS__HUB__PRESET", "github"),
        ("WARDGATE_PROVIDERS__HUB__ISSUER", "http://127.0.0.1:9"),
        ("WARDGATE_PROVIDERS__HUB__CLIENT_ID", "wardgate"),
        ("WARDGATE_PROVIDERS__HUB__CLIENT_SECRET", CLIENT),
        ("WARDGATE_MAIL__SMTP", &smtp),
        ("WARDGATE_MAIL__TLS", "none"),
        ("WARDGATE_MAIL__FROM", "no-reply@example.com"),
    ];
    let mut server = Server::start_with(folder.path(), &environment);
    let setup = server.setup_token().unwrap();
    let mut c = Canaries { server: &server, mails: &mails, secrets: Vec::new() };
    c.add(fs::read_to_string(folder.path().join("master.key")).unwrap().trim());

    c.add(WEBHOOK);
    c.add(CLIENT);
    setup_link(&mut c, &setup);
    let password = c.add("canary-password-of-ada-lovelace");
    let person = json!({ "email": "ada@example.com", "password": password, "name": "Ada" });
    expect(&c.post("/auth/register", &[], &person), 201);
    expect(&c.post("/auth/register", &[], &person), 409);
    sign_ins(&mut c, &password);
    let access = refreshes(&mut c, &password);
    keys(&mut c, &access);
    browser(&mut c, &password);
    administration(&mut c);
    invitations(&mut c, &access);
    other_providers(&mut c);
    leaving(&mut c);
    internal_errors(&mut c, folder.path(), &password, &access);
    let new = c.add("canary-another-password-of-ada");
    let change = json!({ "current_password": password, "new_password": new });
    expect(&c.post("/auth/password", &[("authorization", &bearer(&access))], &change), 204);
    expect(&c.post("/auth/logout", &[("authorization", &bearer(&access))], &json!({})), 204);
    expect(&c.get("/auth/me", &[("authorization", &bearer(&access))]), 401);

    let secrets = std::mem::take(&mut c.secrets);
    assert!(secrets.len() > 20);
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    let c = Canaries { server: &server, mails: &mails, secrets };
    let log: Vec<String> = server.log.iter().collect();
    assert!(log.iter().any(|line| line.contains("no such table")), "the log tells what went wrong: {log:#?}");
    assert!(log.iter().any(|line| line.contains("could not be delivered")), "{log:#?}");
    c.absent_from(&log.join("\n"), "the log");
    let audit = stdout(&run(folder.path(), &["audit", "export"]));
    assert!(audit.lines().count() > 20 && audit.contains("api_key.exchanged"), "{audit}");
    assert!(audit.contains("invitation.accepted"), "{audit}");
    c.absent_from(&audit, "the audit log");
    let stored = database(folder.path());
    assert!(stored.contains("ada@example.com"), "what is stored can be found");
    c.absent_from(&stored, "the database");
}

fn setup_link(c: &mut Canaries<'_>, token: &str) {
    let password = c.add("canary-password-of-the-first-superadmin");
    c.add(token);
    let body = json!({ "token": token, "email": "root@example.com", "password": password });
    expect(&c.post("/auth/setup", &[], &json!({ "token": token, "email": token, "password": "short" })), 422);
    expect(&c.post("/auth/setup", &[], &body), 201);
    expect(&c.post("/auth/setup", &[], &body), 401);
}

fn sign_ins(c: &mut Canaries<'_>, password: &str) {
    let wrong = c.add("canary-a-wrong-password-of-ada");
    expect(&c.post("/auth/login", &[], &json!({ "email": "ada@example.com", "password": wrong })), 401);
    // Typed into the field above the one it belongs to.
    expect(&c.post("/auth/login", &[], &json!({ "email": password, "password": password })), 401);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let misplaced = format!("username={password}&password={wrong}");
    expect(&c.send("POST", "/auth/login", &form, &misplaced), 401);
    expect(&c.post("/auth/register", &[], &json!({ "email": wrong, "password": password })), 422);
    expect(&c.post("/auth/login", &[], &json!({ "email": "ada@example.com", "passwort": password })), 422);
    expect(&c.post("/auth/login", &[], &json!({ "email": "ada@example.com", "password": [password] })), 422);
    let json = [("content-type", "application/json")];
    let cut = format!(r#"{{"email":"ada@example.com","password":"{password}"#);
    assert!(c.send("POST", "/auth/login", &json, &cut).status >= 400);
    // Where no password belongs.
    let in_url = format!("/auth/login?password={password}");
    assert!(c.get(&in_url, &[]).status >= 400);
    assert!(c.get(&format!("/{password}"), &[("authorization", &format!("Basic {wrong}"))]).status >= 400);
    // Until a limit is reached.
    let body = json!({ "email": "nobody@example.com", "password": wrong });
    let reached = (0..40).any(|_| c.post("/auth/login", &[], &body).status == 429);
    assert!(reached);
}

/// An access token that goes on to be good.
fn refreshes(c: &mut Canaries<'_>, password: &str) -> String {
    let sign_in = |c: &mut Canaries<'_>| {
        // From elsewhere, for this network's sign-ins are used up.
        let answer = c.post("/auth/login", &[], &json!({ "email": "ada@example.com", "password": password }));
        expect(&answer, 200);
        (c.take(&answer, "access_token"), c.take(&answer, "refresh_token"))
    };
    let (access, refresh) = sign_in(c);
    let present =
        |c: &Canaries<'_>, token: &str| c.post("/auth/refresh", &[], &json!({ "refresh_token": token }));
    let mut newest = refresh.clone();
    for _ in 0..2 {
        let answer = present(c, &newest);
        expect(&answer, 200);
        c.take(&answer, "access_token");
        newest = c.take(&answer, "refresh_token");
    }
    expect(&present(c, &refresh), 401);
    expect(&present(c, &access), 401);
    expect(&c.get("/auth/me", &[("authorization", &bearer(&access))]), 401);
    let (access, refresh) = sign_in(c);
    expect(&c.get("/auth/me", &[("authorization", &bearer(&access))]), 200);
    assert!(c.get(&format!("/auth/me?access_token={access}"), &[]).status >= 400);
    expect(&c.get("/auth/me", &[("authorization", &bearer(&refresh))]), 401);
    let forged = c.add(&format!("{}x", &access[..access.len() - 1]));
    expect(&c.get("/auth/me", &[("authorization", &bearer(&forged))]), 401);
    let stepped =
        c.post("/auth/step-up", &[("authorization", &bearer(&access))], &json!({ "password": "no" }));
    assert!(stepped.status >= 400);
    let right = json!({ "password": password });
    expect(&c.post("/auth/step-up", &[("authorization", &bearer(&access))], &right), 204);
    let (_, other) = sign_in(c);
    expect(&c.post("/auth/logout", &[], &json!({ "refresh_token": other })), 204);
    access
}

fn keys(c: &mut Canaries<'_>, access: &str) {
    let authorization = bearer(access);
    let owner = [("authorization", authorization.as_str())];
    let made = c.post("/auth/api-keys", &owner, &json!({ "name": "ci", "scopes": ["profile:read"] }));
    expect(&made, 201);
    let (key, id) = (c.take(&made, "key"), made.body["id"].as_str().unwrap().to_owned());
    expect(&c.get("/auth/me", &[("x-api-key", &key)]), 200);
    expect(&c.get("/auth/me", &[("x-api-key", &key), owner[0]]), 400);
    assert!(c.get(&format!("/auth/me?api_key={key}"), &[]).status >= 400);
    let exchanged = c.post(&format!("/auth/api-keys/{id}/token"), &[("x-api-key", &key)], &json!({}));
    expect(&exchanged, 200);
    c.take(&exchanged, "access_token");
    let rotated = c.post(&format!("/auth/api-keys/{id}/rotate"), &owner, &json!({ "overlap": 0 }));
    expect(&rotated, 201);
    let (next, id) = (c.take(&rotated, "key"), rotated.body["id"].as_str().unwrap().to_owned());
    expect(&c.get("/auth/me", &[("x-api-key", &key)]), 403);
    expect(&c.send("DELETE", &format!("/auth/api-keys/{id}"), &owner, ""), 204);
    expect(&c.get("/auth/me", &[("x-api-key", &next)]), 403);
}

fn browser(c: &mut Canaries<'_>, password: &str) {
    let signed_in =
        c.post("/auth/session", &[], &json!({ "email": "ada@example.com", "password": password }));
    expect(&signed_in, 200);
    let cookie = c.add(&signed_in.cookie.expect("a cookie"));
    let cookie = format!("{COOKIE}={cookie}");
    expect(&c.get("/auth/session", &[("cookie", &cookie)]), 200);
    expect(&c.get("/auth/verify", &[("cookie", &cookie)]), 200);
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    expect(&c.send("DELETE", "/auth/session", &foreign, ""), 403);
    expect(&c.send("DELETE", "/auth/session", &[("cookie", &cookie)], ""), 204);
    expect(&c.get("/auth/session", &[("cookie", &cookie)]), 401);
}

fn administration(c: &mut Canaries<'_>) {
    let root = json!({ "email": "root@example.com", "password": "canary-password-of-the-first-superadmin" });
    let answer = c.post("/auth/login", &[], &root);
    expect(&answer, 200);
    let authorization = bearer(&c.take(&answer, "access_token"));
    c.take(&answer, "refresh_token");
    let root = [("authorization", authorization.as_str())];
    let machine = c.post("/admin/service-accounts", &root, &json!({ "name": "ci", "roles": ["user"] }));
    expect(&machine, 201);
    let path = format!("/admin/service-accounts/{}/api-keys", machine.body["id"].as_str().unwrap());
    let made = c.post(&path, &root, &json!({ "name": "deploy" }));
    expect(&made, 201);
    let key = c.take(&made, "key");
    expect(&c.get("/auth/me", &[("x-api-key", &key)]), 200);
    let audit = c.get("/admin/audit?limit=200", &root);
    expect(&audit, 200);
    c.absent_from(&audit.body.to_string(), "GET /admin/audit");
}

/// Into an organization, for whoever has the token and the address.
fn invitations(c: &mut Canaries<'_>, access: &str) {
    let authorization = bearer(access);
    let ada = [("authorization", authorization.as_str())];
    let made = c.post("/auth/orgs", &ada, &json!({ "slug": "engines", "name": "Engines" }));
    expect(&made, 201);
    let path = format!("/auth/orgs/{}/invitations", made.body["id"].as_str().unwrap());
    let invite = json!({ "email": "root@example.com", "role": "member" });
    let invited = c.post(&path, &ada, &invite);
    expect(&invited, 201);
    let ended = c.mailed("root@example.com");
    let invited = c.post(&path, &ada, &invite);
    expect(&invited, 201);
    let token = c.mailed("root@example.com");
    let list = c.get(&path, &ada);
    expect(&list, 200);
    assert_eq!(list.body["items"][0]["email"], "root@example.com");
    c.absent_from(&list.body.to_string(), "the list of invitations");
    // Where it does not belong, and where it is another's.
    expect(&c.post(&path, &ada, &json!({ "email": token, "role": token })), 422);
    expect(&c.get(&format!("/auth/invitations/{token}"), &ada), 404);
    expect(&c.get("/auth/me", &[("authorization", &bearer(&token))]), 401);
    let accept = |c: &Canaries<'_>, token: &str, who: &[(&str, &str)]| {
        c.post("/auth/invitations/accept", who, &json!({ "token": token }))
    };
    expect(&accept(c, &token, &ada), 400);
    let root = json!({ "email": "root@example.com", "password": "canary-password-of-the-first-superadmin" });
    let answer = c.post("/auth/login", &[], &root);
    expect(&answer, 200);
    let authorization = bearer(&c.take(&answer, "access_token"));
    c.take(&answer, "refresh_token");
    let root = [("authorization", authorization.as_str())];
    expect(&accept(c, &ended, &root), 400);
    expect(&accept(c, &token, &root), 200);
    expect(&accept(c, &token, &root), 400);
}

/// There and back, as far as one gets while the provider is away.
fn other_providers(c: &mut Canaries<'_>) {
    let begin = |c: &mut Canaries<'_>| {
        let begun =
            agent().get(format!("{}/auth/login/hub", c.server.base)).config().max_redirects(0).build();
        let begun = begun.call().unwrap();
        assert_eq!(begun.status(), 303);
        let header = |name| begun.headers()[name].to_str().unwrap();
        let (_, state) = header("location").split_once("&state=").unwrap();
        let state = c.add(state.split('&').next().unwrap());
        let (_, held) = header("set-cookie").split_once('=').unwrap();
        let held = c.add(held.split(';').next().unwrap());
        (state, format!("wardgate_upstream={held}"))
    };
    let code = c.add("canary-code-of-another-provider");
    let (state, held) = begin(c);
    let back = format!("/auth/callback/hub?state={state}&code={code}");
    expect(&c.get(&back, &[]), 400);
    expect(&c.get(&back, &[("cookie", &held)]), 502);
    expect(&c.get(&back, &[("cookie", &held)]), 400);
    let (state, held) = begin(c);
    let back = format!("/auth/callback/hub?state={state}&error=server_error");
    expect(&c.get(&back, &[("cookie", &held)]), 502);
    let root = json!({ "email": "root@example.com", "password": "canary-password-of-the-first-superadmin" });
    let answer = c.post("/auth/login", &[], &root);
    expect(&answer, 200);
    let authorization = bearer(&c.take(&answer, "access_token"));
    c.take(&answer, "refresh_token");
    let secret = c.add("canary-secret-of-a-client-in-the-database");
    let other = json!({
        "name": "other", "preset": "github", "client_id": "wardgate", "client_secret": secret, "label": "Other",
    });
    expect(&c.post("/admin/providers", &[("authorization", &authorization)], &other), 201);
    expect(&c.post("/admin/providers", &[("authorization", &authorization)], &other), 409);
}

/// Another user's, in a tenant of its own: takes the data along and goes.
fn leaving(c: &mut Canaries<'_>) {
    let root = json!({ "email": "root@example.com", "password": "canary-password-of-the-first-superadmin" });
    let answer = c.post("/auth/login", &[], &root);
    expect(&answer, 200);
    let authorization = bearer(&c.take(&answer, "access_token"));
    c.take(&answer, "refresh_token");
    let root = [("authorization", authorization.as_str())];
    expect(&c.post("/admin/tenants", &root, &json!({ "slug": "acme", "name": "Acme" })), 201);
    let password = c.add("canary-password-of-eve-at-acme");
    let person = json!({ "email": "eve@example.com", "password": password });
    expect(&c.post("/t/acme/auth/register", &[], &person), 201);
    let answer = c.post("/t/acme/auth/login", &[], &person);
    expect(&answer, 200);
    let access = c.take(&answer, "access_token");
    c.take(&answer, "refresh_token");
    let authorization = bearer(&access);
    let eve = [("authorization", authorization.as_str())];
    expect(&c.get("/auth/me", &eve), 401);
    let mine = c.get("/t/acme/auth/me/export", &eve);
    expect(&mine, 200);
    c.absent_from(&mine.body.to_string(), "the export of one's data");
    expect(&c.send("DELETE", "/t/acme/auth/me", &eve, ""), 204);
}

/// What fails inside is told to the log only, and with what went wrong, not with what it went wrong over.
fn internal_errors(c: &mut Canaries<'_>, folder: &Path, password: &str, access: &str) {
    let rename = |from: &str, to: &str| {
        let database = rusqlite::Connection::open(folder.join("wardgate.db")).unwrap();
        database.execute(&format!("ALTER TABLE {from} RENAME TO {to}"), ()).unwrap();
    };
    rename("sessions", "mislaid");
    let person = json!({ "email": "ada@example.com", "password": password });
    expect(&c.post("/auth/login", &[], &person), 500);
    expect(&c.post("/auth/session", &[], &person), 500);
    expect(&c.get("/auth/me", &[("authorization", &bearer(access))]), 500);
    rename("mislaid", "sessions");
    expect(&c.get("/auth/me", &[("authorization", &bearer(access))]), 200);
}

/// All that the database's files say.
fn database(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let stored = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("wardgate.db"));
    stored.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
}
