//! Tenants: made, reached by path and by host, kept apart, suspended, deleted.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wardgate::{BuiltinRole, Network, TenantId, Wardgate, WebSettings};
use wardgate_store::testing::{count_rows, schema};

use crate::endpoints::concrete;
use crate::support::{ISSUER, PASSWORD, Persona, Reply, Request, TestGate};

async fn root(t: &TestGate) -> Persona<'_> {
    t.user("root").role(BuiltinRole::Superadmin).signed_in().await
}

async fn make(root: &Persona<'_>, slug: &str) -> Reply {
    root.post("/admin/tenants").json(&json!({ "slug": slug, "name": slug })).send().await
}

/// Somebody who registered at a tenant and signed in there.
async fn join(t: &TestGate, slug: &str, email: &str) -> String {
    let body = json!({ "email": email, "password": PASSWORD });
    t.post(&format!("/t/{slug}/auth/register")).json(&body).send().await.expect(201);
    log_in(t, slug, email).await.expect(200).str("access_token")
}

async fn log_in(t: &TestGate, slug: &str, email: &str) -> Reply {
    let body = json!({ "email": email, "password": PASSWORD });
    t.post(&format!("/t/{slug}/auth/login")).json(&body).send().await
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_tenant_has_users_keys_and_an_issuer_of_its_own() {
    let t = TestGate::new().await;
    let root = root(&t).await;
    let acme = make(&root, "acme").await.expect(201);
    assert_eq!((&acme.body["slug"], &acme.body["suspended_at"]), (&json!("acme"), &Value::Null));
    let email = "root@example.com";
    let token = join(&t, "acme", email).await;
    let said = claims(&token);
    assert_eq!((&said["iss"], &said["tenant"]), (&json!(format!("{ISSUER}/t/acme")), &json!("acme")));
    assert_eq!(said["aud"], said["iss"]);
    let me = t.get("/t/acme/auth/me").bearer(&token).send().await.expect(200);
    assert_eq!((&me.body["tenant"], &me.body["email"]), (&json!("acme"), &json!(email)));
    assert_ne!(me.body["id"], json!(root.id.to_string()), "one address, two accounts");
    let (ours, theirs) = (
        t.get("/.well-known/jwks.json").send().await.expect(200).body,
        t.get("/t/acme/.well-known/jwks.json").send().await.expect(200).body,
    );
    assert_ne!(ours, theirs);
    assert_eq!(theirs["keys"].as_array().unwrap().len(), 1);
    // Refresh and sign-out stay within the tenant.
    let tokens = log_in(&t, "acme", email).await;
    let refresh = json!({ "refresh_token": tokens.str("refresh_token") });
    t.post("/auth/refresh").json(&refresh).send().await.refused(401, "invalid_refresh_token");
    t.post("/t/acme/auth/refresh").json(&refresh).send().await.expect(200);
}

#[tokio::test]
async fn another_tenants_credential_is_nobodys() {
    // S-103
    let t = TestGate::new().await;
    let root = root(&t).await;
    make(&root, "acme").await.expect(201);
    make(&root, "zeta").await.expect(201);
    let token = join(&t, "acme", "a@example.com").await;
    for path in ["/auth/me", "/t/zeta/auth/me"] {
        t.get(path).bearer(&token).send().await.refused(401, "invalid_credential");
    }
    t.get("/t/acme/auth/me").bearer(&root.access).send().await.refused(401, "invalid_credential");
    let made =
        t.post("/t/acme/auth/api-keys").bearer(&token).json(&json!({ "name": "k" })).send().await.expect(201);
    let by_key = |path: &str| t.get(path).header("x-api-key", made.str("key"));
    by_key("/t/acme/auth/me").send().await.expect(200);
    for path in ["/auth/me", "/t/zeta/auth/me"] {
        by_key(path).send().await.refused(403, "invalid_api_key");
    }
    let login = json!({ "email": "a@example.com", "password": PASSWORD });
    let reply = t.post("/t/acme/auth/session").json(&login).send().await.expect(200);
    let set = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(set.starts_with("__Host-wardgate_session_acme="), "{set}");
    let value = set.split_once('=').unwrap().1;
    t.get("/t/acme/auth/me").header("cookie", &set).send().await.expect(200);
    for (path, name) in [("/auth/me", ""), ("/t/zeta/auth/me", "_zeta")] {
        t.get(path).header("cookie", &set).send().await.refused(401, "missing_credential");
        let moved = format!("__Host-wardgate_session{name}={value}");
        t.get(path).header("cookie", moved).send().await.refused(401, "invalid_credential");
    }
    t.post("/auth/login").json(&login).send().await.refused(401, "incorrect_credentials");
}

#[tokio::test]
async fn the_id_of_another_tenants_object_is_the_same_404_as_a_random_one() {
    // S-102
    let t = TestGate::new().await;
    let root = root(&t).await;
    make(&root, "acme").await.expect(201);
    let id =
        root.get("/admin/tenants?limit=1").send().await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let victim = join(&t, "acme", "victim@example.com").await;
    let victim_id = t.get("/t/acme/auth/me").bearer(&victim).send().await.str("id");
    let session = t.get("/t/acme/auth/sessions").bearer(&victim).send().await.body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key =
        t.post("/t/acme/auth/api-keys").bearer(&victim).json(&json!({ "name": "k" })).send().await.str("id");
    let robot = root.post(&format!("/admin/tenants/{id}/service-accounts")).json(&json!({ "name": "robot" }));
    let org = json!({ "slug": "org", "name": "Org" });
    let org = t.post("/t/acme/auth/orgs").bearer(&victim).json(&org).send().await.expect(201).str("id");
    let robot = robot.send().await.expect(201).str("id");
    let mut tried = 0;
    for endpoint in Wardgate::endpoints() {
        let own = match endpoint.path {
            path if path.starts_with("/admin/tenants") => continue,
            path if path.starts_with("/admin/users/{id}") => &victim_id,
            path if path.starts_with("/admin/service-accounts/{id}") => &robot,
            path if path.starts_with("/auth/sessions/{id}") => &session,
            path if path.starts_with("/auth/orgs/{id}") => &org,
            path if path.starts_with("/auth/api-keys/{id}") && !path.ends_with("/token") => &key,
            _ => continue,
        };
        let foreign = endpoint.path.replace("{id}", own).replace("{key}", &key);
        let foreign = foreign
            .replace("{user}", &victim_id)
            .replace("{invitation}", "inv_00000000000070008000000000000000");
        let body = match (endpoint.method.as_str(), endpoint.path) {
            ("PATCH", path) if path.ends_with("/members/{user}") => Some(json!({ "role": "member" })),
            ("POST", path) if path.ends_with("/invitations") => {
                Some(json!({ "email": "x@example.com", "role": "member" }))
            }
            ("PATCH", _) => Some(json!({ "name": "x" })),
            ("POST", path) if path.ends_with("/api-keys") => Some(json!({ "name": "x" })),
            _ => None,
        };
        let send = async |path: &str| {
            let request = root.request(endpoint.method.as_str(), path);
            match &body {
                Some(body) => request.json(body).send().await,
                None => request.send().await,
            }
        };
        let (theirs, random) = (send(&foreign).await, send(&concrete(endpoint.path)).await);
        assert_eq!(
            (theirs.status.as_u16(), &theirs.text),
            (404, &random.text),
            "{} {foreign}",
            endpoint.method
        );
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
    t.get("/t/acme/auth/me").bearer(&victim).send().await.expect(200);
    let own = t.request("DELETE", &format!("/t/acme/auth/api-keys/{key}")).bearer(&victim);
    own.send().await.expect(204);
    let found = root.get("/admin/users?email=victim").send().await.expect(200);
    assert_eq!(found.body["items"], json!([]));
}

#[tokio::test]
async fn a_superadmin_acts_on_a_tenant_and_its_admin_on_no_other() {
    // S-101, S-105
    let t = TestGate::new().await;
    let root = root(&t).await;
    let (acme, zeta) =
        (make(&root, "acme").await.expect(201).str("id"), make(&root, "zeta").await.expect(201).str("id"));
    let token = join(&t, "acme", "boss@example.com").await;
    let users = format!("/admin/tenants/{acme}/users");
    let listed = root.get(&users).send().await.expect(200);
    let boss = listed.body["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    let roles =
        |roles: Value| root.request("PATCH", &format!("{users}/{boss}")).json(&json!({ "roles": roles }));
    // Superadmins live at the root.
    let refused = roles(json!(["superadmin"])).send().await.refused(422, "invalid_fields");
    assert_eq!(refused.body["errors"][0]["code"], "not_in_this_tenant");
    roles(json!(["admin"])).send().await.expect(200);
    let by_boss = |method: &str, path: &str| t.request(method, path).bearer(&token);
    assert_eq!(
        by_boss("GET", "/t/acme/admin/users").send().await.expect(200).body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let audit =
        root.get(&format!("/admin/tenants/{acme}/audit?action=user.roles_changed")).send().await.expect(200);
    assert_eq!(
        (&audit.body["items"][0]["tenant"], &audit.body["items"][0]["actor"]),
        (&json!("acme"), &json!(root.id.to_string()))
    );
    // The admin of a tenant is over nothing else.
    for path in [
        "/t/acme/admin/tenants".to_owned(),
        format!("/t/acme/admin/tenants/{zeta}"),
        format!("/t/acme/admin/tenants/{acme}"),
    ] {
        by_boss("GET", &path).send().await.refused(403, "insufficient_permissions");
    }
    for path in [format!("/t/acme/admin/tenants/{zeta}/users"), "/t/acme/t/zeta/admin/users".to_owned()] {
        assert_eq!(by_boss("GET", &path).send().await.status, 404, "{path}");
    }
    by_boss("GET", &format!("/admin/tenants/{acme}/users")).send().await.refused(401, "invalid_credential");
    // Nor is an admin at the root.
    let admin = t.user("admin").role(BuiltinRole::Admin).signed_in().await;
    for path in ["/admin/tenants".to_owned(), users.clone(), format!("/admin/tenants/{acme}")] {
        admin.get(&path).send().await.refused(403, "insufficient_permissions");
    }
    t.get(&users).send().await.refused(401, "missing_credential");
    // Even a role that names it, made by an operator, is worth nothing in a tenant.
    let role = json!({ "name": "sneaky", "permissions": ["tenants:read", "tenants:write"] });
    root.post(&format!("/admin/tenants/{acme}/roles")).json(&role).send().await.expect(201);
    roles(json!(["admin", "sneaky"])).send().await.expect(200);
    by_boss("GET", "/t/acme/admin/tenants").send().await.refused(403, "insufficient_permissions");
    for nowhere in [
        "/admin/tenants/ten_00000000000070008000000000000009/users",
        "/admin/tenants/x/users",
        "/admin/tenants/x/tenants",
    ] {
        assert_eq!(root.get(nowhere).send().await.status, 404, "{nowhere}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_tenant_in_a_header_and_nobody_else() {
    let web = WebSettings {
        trusted_proxies: vec![Network::new("10.0.0.0".parse().unwrap(), 8)],
        tenant_header: Some("x-tenant".parse().unwrap()),
        ..WebSettings::default()
    };
    let t = TestGate::with(|builder| builder.web(web)).await;
    let root = root(&t).await;
    let id = make(&root, "acme").await.expect(201).str("id");
    let token = join(&t, "acme", "a@example.com").await;
    let me = |slug: &str| t.get("/auth/me").header("x-tenant", slug).bearer(&token);
    let proxy = "10.1.2.3";
    assert_eq!(me("acme").from(proxy).send().await.expect(200).body["tenant"], "acme");
    // From anybody else the header is not read, and what a proxy says of its client makes nobody a proxy.
    me("acme").from("203.0.113.9").send().await.refused(401, "invalid_credential");
    me("acme").send().await.refused(401, "invalid_credential");
    me("acme")
        .header("x-forwarded-for", proxy)
        .from("203.0.113.9")
        .send()
        .await
        .refused(401, "invalid_credential");
    // The one at the root has a name too, and is what is meant where nothing is said.
    me("default").from(proxy).send().await.refused(401, "invalid_credential");
    t.get("/auth/me").bearer(&token).from(proxy).send().await.refused(401, "invalid_credential");
    root.get("/auth/me").header("x-tenant", "default").from(proxy).send().await.expect(200);
    // A client's beside the proxy's, and names that nobody has.
    me("acme").header("x-tenant", "acme").from(proxy).send().await.refused(404, "not_found");
    for wrong in ["", "zeta", "ACME", "acme,acme", "a/b", "\u{e9}"] {
        me(wrong).from(proxy).send().await.refused(404, "not_found");
    }
    // A path is more than what is said beside it.
    t.get("/t/acme/auth/me").header("x-tenant", "zeta").bearer(&token).from(proxy).send().await.expect(200);
    root.post(&format!("/admin/tenants/{id}/suspend")).send().await.expect(204);
    me("acme").from(proxy).send().await.refused(403, "tenant_suspended");
}

#[tokio::test]
async fn a_tenant_is_reached_by_its_host_name() {
    let t = TestGate::new().await;
    let root = root(&t).await;
    let id = make(&root, "acme").await.expect(201).str("id");
    let other = make(&root, "zeta").await.expect(201).str("id");
    let patch = |id: &str, body: Value| root.request("PATCH", &format!("/admin/tenants/{id}")).json(&body);
    let changed = patch(
        &id,
        json!({ "hosts": ["login.acme.com", "acme.org"], "name": "Acme", "logo_url": "https://acme.com/l.png" }),
    );
    assert_eq!(changed.send().await.expect(200).body["hosts"], json!(["login.acme.com", "acme.org"]));
    let listed = root.get("/admin/tenants").send().await.expect(200);
    let of = |slug: &str| {
        let items = listed.body["items"].as_array().unwrap();
        items.iter().find(|tenant| tenant["slug"] == slug).unwrap()["hosts"].clone()
    };
    assert_eq!((of("acme"), of("default")), (json!(["login.acme.com", "acme.org"]), json!([])));
    patch(&other, json!({ "hosts": ["acme.org"] })).send().await.refused(409, "host_taken");
    for wrong in [
        json!(["Login.acme.com"]),
        json!(["localhost"]),
        json!(["10.0.0.1"]),
        json!(["a.b", "a.b"]),
        json!("a.b"),
    ] {
        patch(&id, json!({ "hosts": wrong })).send().await.refused(422, "invalid_fields");
    }
    let at = |host: &str, method: &str, path: &str| Request::bare(&t.app, method, path).header("host", host);
    let body = json!({ "email": "a@example.com", "password": PASSWORD });
    at("LOGIN.acme.com:443", "POST", "/auth/register").json(&body).send().await.expect(201);
    let token =
        at("acme.org", "POST", "/auth/login").json(&body).send().await.expect(200).str("access_token");
    assert_eq!(claims(&token)["iss"], "https://login.acme.com");
    for host in ["login.acme.com", "acme.org."] {
        assert_eq!(
            at(host, "GET", "/auth/me").bearer(&token).send().await.expect(200).body["tenant"],
            "acme"
        );
    }
    // Whichever way it is reached, it is the same tenant.
    t.get("/t/acme/auth/me").bearer(&token).send().await.expect(200);
    t.get("/auth/me").bearer(&token).send().await.refused(401, "invalid_credential");
    at("evil.acme.com", "GET", "/auth/me").bearer(&token).send().await.refused(401, "invalid_credential");
    // On its host there is no other tenant, by any path: two would share an origin.
    let (zeta, nobody) = ("/t/zeta/auth/providers", "/t/nobody/auth/providers");
    let unknown = at("acme.org", "GET", nobody).send().await.refused(404, "not_found");
    for host in ["login.acme.com", "LOGIN.acme.com:443", "acme.org."] {
        let there = at(host, "GET", zeta).send().await.refused(404, "not_found");
        assert_eq!(there.text, unknown.text);
        at(host, "GET", "/t/acme/auth/providers").send().await.expect(200);
    }
    let absolute = |host: &str| Request::bare(&t.app, "GET", &format!("https://{host}{zeta}"));
    absolute("acme.org").header("host", "auth.example.com").send().await.refused(404, "not_found");
    patch(&other, json!({ "hosts": ["zeta.org"] })).send().await.expect(200);
    at("zeta.org", "GET", "/t/acme/auth/me").bearer(&token).send().await.refused(404, "not_found");
    at("zeta.org", "GET", zeta).send().await.expect(200);
    for host in ["auth.example.com", "another.example.com", "localhost"] {
        at(host, "GET", zeta).send().await.expect(200);
    }
    root.post(&format!("/admin/tenants/{other}/suspend")).send().await.expect(204);
    at("zeta.org", "GET", "/t/acme/auth/me").bearer(&token).send().await.refused(404, "not_found");
    // Without its host names, its tokens of that issuer end.
    patch(&id, json!({ "hosts": [] })).send().await.expect(200);
    t.get("/t/acme/auth/me").bearer(&token).send().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn settings_are_the_tenants_own() {
    let t = TestGate::new().await;
    let root = root(&t).await;
    let id = make(&root, "acme").await.expect(201).str("id");
    let patch = |body: Value| root.request("PATCH", &format!("/admin/tenants/{id}")).json(&body);
    patch(json!({ "registration": "closed" })).send().await.expect(200);
    let body = json!({ "email": "a@example.com", "password": PASSWORD });
    t.post("/t/acme/auth/register").json(&body).send().await.refused(403, "registration_closed");
    t.post("/auth/register").json(&body).send().await.expect(201);
    patch(json!({ "registration": null, "min_password_length": 30 })).send().await.expect(200);
    let refused = t.post("/t/acme/auth/register").json(&body).send().await.refused(422, "invalid_fields");
    assert_eq!(refused.body["errors"][0]["code"], "too_short");
    for wrong in [
        json!({ "min_password_length": 7 }),
        json!({ "registration": "maybe" }),
        json!({ "name": "" }),
        json!({ "logo_url": "http://x" }),
        json!({ "accent_color": "red" }),
        json!({ "accent_color": "#fff;}*{" }),
        json!({ "slug": "new" }),
    ] {
        patch(wrong).send().await.refused(422, "invalid_fields");
    }
    let default = format!("/admin/tenants/{}", TenantId::DEFAULT);
    root.request("PATCH", &default).json(&json!({ "name": "x" })).send().await.refused(409, "default_tenant");
    for verb in ["suspend", "resume"] {
        root.post(&format!("{default}/{verb}")).send().await.refused(409, "default_tenant");
    }
    root.request("DELETE", &default).send().await.refused(409, "default_tenant");
    for slug in ["default", "A", "a", "a b", ""] {
        make(&root, slug).await.refused(422, "invalid_fields");
    }
    make(&root, "acme").await.refused(409, "slug_taken");
    for path in [
        "/t/default/auth/me",
        "/t/nobody/auth/me",
        "/t/ACME/auth/me",
        "/t/acme",
        "/t//auth/me",
        "/t/acme/nothing",
    ] {
        t.get(path).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_dead_at_once_and_comes_back_whole() {
    // S-106
    let t = TestGate::new().await;
    let root = root(&t).await;
    let id = make(&root, "acme").await.expect(201).str("id");
    let token = join(&t, "acme", "a@example.com").await;
    let key =
        t.post("/t/acme/auth/api-keys").bearer(&token).json(&json!({ "name": "k" })).send().await.str("key");
    let other = t.beside(|b| b).await;
    root.post(&format!("/admin/tenants/{id}/suspend")).send().await.expect(204);
    for gate in [&t, &other] {
        gate.get("/t/acme/auth/me").bearer(&token).send().await.refused(403, "tenant_suspended");
        gate.get("/t/acme/auth/me").header("x-api-key", &key).send().await.refused(403, "tenant_suspended");
        gate.get("/t/acme/.well-known/jwks.json").send().await.refused(403, "tenant_suspended");
    }
    log_in(&t, "acme", "a@example.com").await.refused(403, "tenant_suspended");
    // Those over it still see it.
    root.get(&format!("/admin/tenants/{id}/users")).send().await.expect(200);
    root.post(&format!("/admin/tenants/{id}/resume")).send().await.expect(204);
    t.get("/t/acme/auth/me").bearer(&token).send().await.expect(200);
    t.get("/t/acme/auth/me").header("x-api-key", &key).send().await.expect(200);
}

#[tokio::test]
async fn a_deleted_tenant_leaves_no_row_and_its_slug_is_never_used_again() {
    // S-110
    let t = TestGate::new().await;
    let root = root(&t).await;
    let id = make(&root, "acme").await.expect(201).str("id");
    root.request("PATCH", &format!("/admin/tenants/{id}"))
        .json(&json!({ "hosts": ["a.com"] }))
        .send()
        .await
        .expect(200);
    let token = join(&t, "acme", "a@example.com").await;
    t.post("/t/acme/auth/api-keys").bearer(&token).json(&json!({ "name": "k" })).send().await.expect(201);
    root.post(&format!("/admin/tenants/{id}/roles"))
        .json(&json!({ "name": "r", "permissions": ["a:b"] }))
        .send()
        .await
        .expect(201);
    root.post(&format!("/admin/tenants/{id}/service-accounts"))
        .json(&json!({ "name": "s", "roles": ["r"] }))
        .send()
        .await
        .expect(201);
    let org = json!({ "slug": "org", "name": "Org" });
    t.post("/t/acme/auth/orgs").bearer(&token).json(&org).send().await.expect(201);
    t.gate.tend().await.unwrap();
    let tenant: TenantId = id.parse().unwrap();
    let rows = async || {
        let mut found = BTreeSet::new();
        for table in schema(t.scratch().db()).await.unwrap() {
            let of_tenants = table.columns.iter().any(|column| column.name == "tenant_id");
            if of_tenants && count_rows(t.scratch().db(), &table.name, tenant.into()).await.unwrap() > 0 {
                found.insert(table.name);
            }
        }
        found
    };
    assert!(rows().await.len() >= 9, "{:?}", rows().await);
    root.request("DELETE", &format!("/admin/tenants/{id}")).send().await.expect(204);
    assert_eq!(rows().await, BTreeSet::new());
    t.get("/t/acme/auth/me").bearer(&token).send().await.refused(404, "not_found");
    root.get(&format!("/admin/tenants/{id}")).send().await.refused(404, "not_found");
    root.request("DELETE", &format!("/admin/tenants/{id}")).send().await.refused(404, "not_found");
    make(&root, "acme").await.refused(409, "slug_taken");
    let log = root.get("/admin/audit?limit=10").send().await.expect(200);
    let actions: Vec<_> =
        log.body["items"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"tenant.created") && actions.contains(&"tenant.deleted"), "{actions:?}");
}

#[tokio::test]
async fn tenants_are_listed_a_page_at_a_time() {
    let t = TestGate::new().await;
    let root = root(&t).await;
    for slug in ["aa", "bb", "cc"] {
        t.tick();
        make(&root, slug).await.expect(201);
    }
    let slugs = |reply: &Reply| -> Vec<String> {
        reply.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = root.get("/admin/tenants?limit=2").send().await.expect(200);
    assert_eq!(slugs(&first), ["cc", "bb"]);
    let next = format!("/admin/tenants?limit=2&cursor={}", first.str("next_cursor"));
    let second = root.get(&next).send().await.expect(200);
    assert_eq!(
        (slugs(&second), &second.body["next_cursor"]),
        (vec!["aa".to_owned(), "default".to_owned()], &Value::Null)
    );
}
