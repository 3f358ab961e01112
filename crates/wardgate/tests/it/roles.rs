//! Roles of the tenant's own, who may give them, and what taking one away does.

use serde_json::{Value, json};
use wardgate::BuiltinRole;

use crate::support::{Persona, Reply, Request, TestGate};

async fn admin(t: &TestGate) -> Persona<'_> {
    t.user("boss").role(BuiltinRole::Admin).signed_in().await
}

async fn make_role(admin: &Persona<'_>, name: &str, permissions: &[&str]) -> Reply {
    let role = json!({ "name": name, "description": "for tests", "permissions": permissions });
    admin.post("/admin/roles").json(&role).send().await
}

fn patch_user(by: &Persona<'_>, id: impl std::fmt::Display, change: &Value) -> Request {
    by.request("PATCH", &format!("/admin/users/{id}")).json(change)
}

#[tokio::test]
async fn a_role_is_made_given_changed_and_taken_away() {
    let t = TestGate::new().await;
    let (boss, alice) = (admin(&t).await, t.user("alice").signed_in().await);
    let made = make_role(&boss, "editor", &["notes:write", "notes:read", "notes:read"]).await.expect(201);
    assert_eq!(made.body["permissions"], json!(["notes:read", "notes:write"]));
    make_role(&boss, "editor", &[]).await.refused(409, "role_exists");
    patch_user(&boss, alice.id, &json!({ "roles": ["user", "editor"] })).send().await.expect(200);
    // The same token: what counts is in the store.
    let me = alice.me().await.expect(200);
    assert_eq!(me.body["roles"], json!(["editor", "user"]));
    assert!(me.body["permissions"].as_array().unwrap().contains(&json!("notes:write")));

    let change = json!({ "permissions": ["notes:read"], "description": null });
    let changed = boss.request("PATCH", "/admin/roles/editor").json(&change).send().await.expect(200);
    assert_eq!(
        (&changed.body["description"], &changed.body["permissions"]),
        (&Value::Null, &json!(["notes:read"]))
    );
    assert!(!alice.me().await.body["permissions"].as_array().unwrap().contains(&json!("notes:write")));

    boss.request("DELETE", "/admin/roles/editor").send().await.refused(409, "role_in_use");
    // S-106
    patch_user(&boss, alice.id, &json!({ "roles": ["user"] })).send().await.expect(200);
    assert_eq!(alice.me().await.body["roles"], json!(["user"]));
    boss.request("DELETE", "/admin/roles/editor").send().await.expect(204);
    boss.get("/admin/roles/editor").send().await.refused(404, "not_found");
    boss.request("DELETE", "/admin/roles/editor").send().await.refused(404, "not_found");
    let names: Vec<_> = boss.get("/admin/roles").send().await.expect(200).body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (role["name"].clone(), role["builtin"].clone()))
        .collect();
    assert_eq!(names, ["user", "admin", "superadmin"].map(|name| (json!(name), json!(true))));
    assert_eq!(boss.get("/admin/roles/admin").send().await.expect(200).body["builtin"], true);
}

#[tokio::test]
async fn faults_of_a_role_are_named_and_change_nothing() {
    let t = TestGate::new().await;
    let boss = admin(&t).await;
    for (name, permissions, code) in [
        ("admin", &[][..], "reserved"),
        ("Editor", &[], "invalid_name"),
        ("editor", &["notes"], "invalid_permission"),
        ("editor", &["users:raed"], "unknown_permission"),
        ("editor", &["factors:write"], "unknown_permission"),
        ("editor", &["*:*"], "invalid_permission"),
    ] {
        let refused = make_role(&boss, name, permissions).await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["code"], code, "{name} {permissions:?}");
    }
    let many: Vec<_> = (0..65).map(|n| format!("notes:r{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    make_role(&boss, "editor", &many).await.refused(422, "invalid_fields");
    for name in ["user", "admin", "superadmin"] {
        let path = format!("/admin/roles/{name}");
        boss.request("PATCH", &path)
            .json(&json!({ "permissions": [] }))
            .send()
            .await
            .refused(404, "not_found");
        boss.request("DELETE", &path).send().await.refused(404, "not_found");
    }
    assert_eq!(boss.get("/admin/roles").send().await.body["items"].as_array().unwrap().len(), 3);
    let alice = t.user("alice").registered().await;
    for (roles, code) in [
        (json!(["nothing"]), "unknown_role"),
        (json!(["user", "user"]), "duplicate"),
        (json!("user"), "wrong_type"),
        (Value::Null, "wrong_type"),
    ] {
        let reply = patch_user(&boss, alice.id, &json!({ "roles": roles, "name": "Mallory" })).send().await;
        assert_eq!(reply.refused(422, "invalid_fields").body["errors"][0]["code"], code, "{roles}");
    }
    let after = boss.get(&format!("/admin/users/{}", alice.id)).send().await.expect(200);
    assert_eq!((&after.body["roles"], &after.body["name"]), (&json!(["user"]), &Value::Null));
}

#[tokio::test]
async fn nobody_grants_a_right_they_lack_or_acts_on_those_above() {
    // S-105
    let t = TestGate::new().await;
    let (boss, alice) = (admin(&t).await, t.user("alice").registered().await);
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let denied = |reply: Reply| reply.refused(403, "insufficient_permissions");
    denied(make_role(&boss, "sneaky", &["tenants:write"]).await);
    denied(patch_user(&boss, alice.id, &json!({ "roles": ["superadmin"] })).send().await);
    denied(patch_user(&boss, boss.id, &json!({ "roles": ["admin", "superadmin"] })).send().await);
    for change in [json!({ "roles": ["user"] }), json!({ "is_active": false }), json!({ "name": "x" })] {
        denied(patch_user(&boss, root.id, &change).send().await);
    }
    for path in [format!("/admin/users/{}", root.id), format!("/admin/users/{}/sessions", root.id)] {
        denied(boss.request("DELETE", &path).send().await);
    }
    let new = json!({ "email": "new@example.com", "roles": ["superadmin"] });
    denied(boss.post("/admin/users").json(&new).send().await);
    root.me().await.expect(200);
    // Somebody with only some of an administrator's rights passes on only those.
    let role =
        make_role(&root, "helpdesk", &["users:read", "users:write", "roles:write", "roles:read"]).await;
    role.expect(201);
    let helper = t.user("helper").signed_in().await;
    patch_user(&root, helper.id, &json!({ "roles": ["user", "helpdesk"] })).send().await.expect(200);
    denied(patch_user(&helper, alice.id, &json!({ "roles": ["admin"] })).send().await);
    denied(make_role(&helper, "auditor", &["audit:read"]).await);
    denied(make_role(&helper, "writer", &["notes:write"]).await);
    denied(patch_user(&helper, boss.id, &json!({ "is_active": false })).send().await);
    patch_user(&helper, alice.id, &json!({ "roles": ["user", "helpdesk"] })).send().await.expect(200);
    let taken =
        helper.request("PATCH", "/admin/roles/helpdesk").json(&json!({ "permissions": ["audit:read"] }));
    denied(taken.send().await);
    assert_eq!(t.get("/admin/roles/auditor").bearer(&root.access).send().await.status, 404);
}

#[tokio::test]
async fn the_last_superadmin_stays_over_http_too() {
    let t = TestGate::new().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    for change in [json!({ "roles": ["admin"] }), json!({ "is_active": false })] {
        patch_user(&root, root.id, &change).send().await.refused(409, "last_superadmin");
    }
    let path = format!("/admin/users/{}", root.id);
    root.request("DELETE", &path).send().await.refused(409, "last_superadmin");
    root.me().await.expect(200);
}

#[tokio::test]
async fn users_are_listed_found_made_changed_and_deleted() {
    let t = TestGate::new().await;
    let boss = admin(&t).await;
    for name in ["ann", "anna", "bob_x", "bobyx"] {
        t.tick();
        t.user(name).registered().await;
    }
    let emails = |reply: &Reply| -> Vec<String> {
        reply.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|u| u["email"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = boss.get("/admin/users?limit=2").send().await.expect(200);
    assert_eq!(emails(&first), ["bobyx@example.com", "bob_x@example.com"]);
    let cursor = first.str("next_cursor");
    let second = boss.get(&format!("/admin/users?limit=3&cursor={cursor}")).send().await.expect(200);
    assert_eq!(emails(&second), ["anna@example.com", "ann@example.com", "boss@example.com"]);
    assert_eq!(second.body["next_cursor"], Value::Null);
    // A cursor belongs to its list and filter (S-107).
    boss.get(&format!("/admin/users?email=ann&cursor={cursor}")).send().await.refused(400, "invalid_cursor");
    assert_eq!(
        emails(&boss.get("/admin/users?email=ANN").send().await),
        ["anna@example.com", "ann@example.com"]
    );
    assert_eq!(emails(&boss.get("/admin/users?email=b_x").send().await), ["bob_x@example.com"]);
    assert!(emails(&boss.get("/admin/users?email=%25").send().await).is_empty());
    boss.get("/admin/users?mail=ann").send().await.refused(422, "invalid_fields");
    boss.get("/admin/users?is_active=maybe").send().await.refused(422, "invalid_fields");

    let new = json!({ "email": "New@Example.com", "name": "New" });
    let made = boss.post("/admin/users").json(&new).send().await.expect(201);
    assert_eq!((&made.body["roles"], &made.body["email_verified"]), (&json!(["user"]), &json!(false)));
    boss.post("/admin/users").json(&new).send().await.refused(409, "email_taken");
    let with_password = json!({ "email": "x@example.com", "password": "correct horse battery staple" });
    boss.post("/admin/users").json(&with_password).send().await.refused(422, "invalid_fields");
    // Without a password nobody signs in, by any.
    for password in ["", "correct horse battery staple"] {
        let login = json!({ "email": "new@example.com", "password": password });
        t.post("/auth/login").json(&login).send().await.refused(401, "incorrect_credentials");
    }
    let path = format!("/admin/users/{}", made.str("id"));
    let change = json!({ "name": null, "is_active": false, "roles": ["admin"] });
    let changed = boss.request("PATCH", &path).json(&change).send().await.expect(200);
    assert_eq!((&changed.body["is_active"], &changed.body["roles"]), (&json!(false), &json!(["admin"])));
    assert_eq!(emails(&boss.get("/admin/users?is_active=false").send().await), ["New@Example.com"]);
    boss.request("DELETE", &path).send().await.expect(204);
    for method in ["GET", "DELETE"] {
        boss.request(method, &path).send().await.refused(404, "not_found");
    }
    boss.request("PATCH", &path).json(&change).send().await.refused(404, "not_found");
    for id in ["usr_1", "svc_00000000000070008000000000000000", "%00"] {
        boss.get(&format!("/admin/users/{id}")).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn an_admin_ends_all_sessions_of_a_user() {
    // S-050, S-058
    let t = TestGate::new().await;
    let (boss, alice) = (admin(&t).await, t.user("alice").signed_in().await);
    boss.request("DELETE", &format!("/admin/users/{}/sessions", alice.id)).send().await.expect(204);
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    boss.me().await.expect(200);
    let off = json!({ "is_active": false });
    patch_user(&boss, alice.id, &off).send().await.expect(200);
    patch_user(&boss, alice.id, &off).send().await.expect(200);
}

#[tokio::test]
async fn service_accounts_are_made_changed_and_removed() {
    let t = TestGate::new().await;
    let boss = admin(&t).await;
    let new = |name: &str, roles: Value| {
        boss.post("/admin/service-accounts").json(&json!({ "name": name, "roles": roles }))
    };
    let ci = new("ci", json!(["user"])).send().await.expect(201);
    new("ci", json!([])).send().await.refused(409, "name_taken");
    new("a b", json!([])).send().await.refused(422, "invalid_fields");
    new("root", json!(["superadmin"])).send().await.refused(422, "invalid_fields");
    new("ghost", json!(["ghost"])).send().await.refused(422, "invalid_fields");
    let path = format!("/admin/service-accounts/{}", ci.str("id"));
    let patch = |change: &Value| boss.request("PATCH", &path).json(change);
    let change = json!({ "name": "cd", "is_active": false, "roles": ["admin"] });
    let changed = patch(&change).send().await.expect(200);
    assert_eq!(changed.body["is_active"], false);
    assert_eq!(boss.get(&path).send().await.expect(200).body, changed.body);
    let other = new("other", json!([])).send().await.expect(201);
    patch(&json!({ "name": "other" })).send().await.refused(409, "name_taken");
    let listed = boss.get("/admin/service-accounts?limit=1").send().await.expect(200);
    assert!(
        listed.body["items"][0]["id"] == ci.body["id"] || listed.body["items"][0]["id"] == other.body["id"]
    );
    let next = format!("/admin/service-accounts?limit=1&cursor={}", listed.str("next_cursor"));
    let last = boss.get(&next).send().await.expect(200);
    assert_ne!(last.body["items"][0]["id"], listed.body["items"][0]["id"]);
    assert_eq!(last.body["next_cursor"], Value::Null);
    boss.request("DELETE", &path).send().await.expect(204);
    boss.get(&path).send().await.refused(404, "not_found");
    patch(&change).send().await.refused(404, "not_found");
}
