//! Registering, the profile, changing the password.

use serde_json::json;
use wardgate::BuiltinRole;

use crate::mail::{forgot, token};
use crate::support::{PASSWORD, TestGate};

const USER_PERMISSIONS: &[&str] = &[
    "api_keys:read",
    "api_keys:write",
    "email:write",
    "identities:read",
    "identities:write",
    "organizations:read",
    "organizations:write",
    "password:write",
    "profile:read",
    "profile:write",
    "sessions:read",
    "sessions:write",
];

#[tokio::test]
async fn registering_gives_a_user_that_can_sign_in() {
    let t = TestGate::new().await;
    let body = json!({ "email": "Ada@Example.com", "password": PASSWORD, "name": "Ada" });
    let user = t.post("/auth/register").json(&body).send().await.expect(201);
    assert_eq!(user.body["email"], "Ada@Example.com");
    assert_eq!(user.body["roles"], json!(["user"]));
    assert_eq!((&user.body["is_active"], &user.body["email_verified"]), (&json!(true), &json!(false)));
    assert_eq!(user.body["created_at"], "2026-01-01T00:00:00.000Z");
    let form = "username=ada%40example.com&password=correct+horse+battery+staple";
    let tokens = t.post("/auth/login").form(form).send().await.expect(200);
    assert_eq!((&tokens.body["token_type"], &tokens.body["expires_in"]), (&json!("bearer"), &json!(900)));
    let me = t.get("/auth/me").bearer(&tokens.str("access_token")).send().await.expect(200);
    assert_eq!(me.body["id"], user.body["id"]);
    assert_eq!((&me.body["tenant"], &me.body["permissions"]), (&json!("default"), &json!(USER_PERMISSIONS)));
}

#[tokio::test]
async fn spellings_of_one_address_are_one_account() {
    // S-014
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    for spelling in ["ALICE@example.com", " alice@example.com", "alice@example.com.", "ａlice@example.com"] {
        let body = json!({ "email": spelling, "password": PASSWORD });
        t.post("/auth/register").json(&body).send().await.refused(409, "email_taken");
        let login = json!({ "email": spelling, "password": PASSWORD });
        let tokens = t.post("/auth/login").json(&login).send().await.expect(200);
        let me = t.get("/auth/me").bearer(&tokens.str("access_token")).send().await.expect(200);
        assert_eq!(me.body["id"], alice.id.to_string(), "{spelling}");
    }
}

#[tokio::test]
async fn every_fault_of_a_registration_is_told_at_once_and_nothing_is_made() {
    let t = TestGate::new().await;
    let body =
        json!({ "email": "nobody", "password": 5, "name": "a\nb", "role": "admin", "email_verified": true });
    let refused = t.post("/auth/register").json(&body).send().await.refused(422, "invalid_fields");
    let pointers: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap().to_owned())
        .collect();
    // S-104: a stranger's role is refused, not ignored.
    assert_eq!(
        pointers,
        ["#/email", "#/password", "#/name", "#/email_verified", "#/role"].map(str::to_owned)
    );
    let (users, _) = t
        .gate
        .accounts()
        .list(wardgate::TenantId::DEFAULT, wardgate::UserFilter::default(), wardgate::PageRequest::FIRST)
        .await
        .unwrap();
    assert!(users.is_empty());
}

#[tokio::test]
async fn weak_passwords_are_refused_with_a_reason() {
    // S-003, S-004
    let t = TestGate::new().await;
    for (password, code) in [
        ("short", "too_short"),
        ("password123", "guessable"),
        ("margaret", "contains_identity"),
        (&"ab ".repeat(90), "too_long"),
    ] {
        let body = json!({ "email": "margaret@example.com", "password": password });
        let refused = t.post("/auth/register").json(&body).send().await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["code"], code, "{password}");
        assert_eq!(refused.body["errors"][0]["pointer"], "#/password");
    }
}

#[tokio::test]
async fn common_passwords_are_refused_wherever_one_is_set() {
    // S-004
    let common = include_str!("../../data/common-passwords.txt");
    let (t, mailer) = TestGate::with_mail(|b| b).await;
    for password in common.lines().take(3000).step_by(50) {
        let body = json!({ "email": "k7q@example.com", "password": password });
        let refused = t.post("/auth/register").json(&body).send().await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["code"], "guessable", "{password}");
    }
    let alice = t.user("alice").signed_in().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    let invited = json!({ "email": "invited@example.com", "roles": ["user"] });
    boss.post("/admin/users").json(&invited).send().await.expect(201);
    forgot(&t, &alice.email).await;
    t.gate.tend().await.unwrap();
    let tokens: Vec<_> = mailer.take().iter().map(token).collect();
    assert_eq!(tokens.len(), 2, "an invitation, and a reset");
    // An estimator alone takes these two.
    for password in ["1g2w3e4r", "FQRG7CS493"] {
        let change = json!({ "current_password": PASSWORD, "new_password": password });
        let mut refused = vec![alice.post("/auth/password").json(&change).send().await];
        for token in &tokens {
            let reset = json!({ "token": token, "new_password": password });
            refused.push(t.post("/auth/password/reset").json(&reset).send().await);
        }
        for refused in refused {
            let refused = refused.refused(422, "invalid_fields");
            assert_eq!(refused.body["errors"][0]["code"], "guessable", "{password}");
            assert_eq!(refused.body["errors"][0]["pointer"], "#/new_password");
        }
    }
}

#[tokio::test]
async fn of_two_registrations_at_once_one_wins() {
    let t = TestGate::new().await;
    let body = json!({ "email": "twin@example.com", "password": PASSWORD });
    let attempts = (0..8).map(|_| tokio::spawn(t.post("/auth/register").json(&body).send()));
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn closed_registration_says_so() {
    let t = TestGate::with(|b| b.registration(wardgate::RegistrationMode::Closed)).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    t.post("/auth/register").json(&body).send().await.refused(403, "registration_closed");
}

#[tokio::test]
async fn the_profile_changes_by_its_owner_alone() {
    let t = TestGate::new().await;
    let (alice, bob) = (t.user("alice").signed_in().await, t.user("bob").signed_in().await);
    let changed =
        alice.request("PATCH", "/auth/me").json(&json!({ "name": "Alice L." })).send().await.expect(200);
    assert_eq!(changed.body["name"], "Alice L.");
    assert_eq!(alice.me().await.body["name"], "Alice L.");
    assert_eq!(bob.me().await.body["name"], json!(null));
    let none = alice.request("PATCH", "/auth/me").json(&json!({ "name": null })).send().await.expect(200);
    assert_eq!(none.body["name"], json!(null));
    let same = alice.request("PATCH", "/auth/me").json(&json!({})).send().await.expect(200);
    assert_eq!(same.body["name"], json!(null));
    // S-104
    for field in ["roles", "email", "is_active", "email_verified", "tenant", "id"] {
        let body = json!({ "name": "x", field: true });
        alice.request("PATCH", "/auth/me").json(&body).send().await.refused(422, "invalid_fields");
    }
    assert_eq!(alice.me().await.body["name"], json!(null), "a refused change changes nothing");
}

#[tokio::test]
async fn a_password_change_ends_every_other_session_and_keeps_the_callers() {
    // S-006
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let (other_access, other_refresh) = (alice.access.clone(), alice.refresh.clone());
    alice.sign_in().await;
    let wrong = json!({ "current_password": "wrong", "new_password": "an entirely new sentence" });
    alice.post("/auth/password").json(&wrong).send().await.refused(403, "wrong_password");
    let weak = json!({ "current_password": PASSWORD, "new_password": "password1" });
    let refused = alice.post("/auth/password").json(&weak).send().await.refused(422, "invalid_fields");
    assert_eq!(refused.body["errors"][0]["pointer"], "#/new_password");
    t.get("/auth/me").bearer(&other_access).send().await.expect(200);

    let change = json!({ "current_password": PASSWORD, "new_password": "an entirely new sentence" });
    alice.post("/auth/password").json(&change).send().await.expect(204);
    alice.me().await.expect(200);
    alice.present(&alice.refresh).await.expect(200);
    t.get("/auth/me").bearer(&other_access).send().await.refused(401, "invalid_credential");
    alice.present(&other_refresh).await.refused(401, "invalid_refresh_token");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    alice.log_in("an entirely new sentence").await.expect(200);
}

#[tokio::test]
async fn one_takes_ones_data_along_and_leaves() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let key = alice.post("/auth/api-keys").json(&json!({ "name": "mine" })).send().await.expect(201);
    let taken = alice.get("/auth/me/export").send().await.expect(200);
    assert_eq!(taken.body["user"]["email"], json!(alice.email));
    assert_eq!(
        (&taken.body["sessions"][0]["current"], &taken.body["api_keys"][0]["name"]),
        (&json!(true), &json!("mine"))
    );
    assert!(!taken.text.contains(&key.str("key")[40..]));
    let by_key = |method: &str, path: &str| t.request(method, path).header("x-api-key", key.str("key"));
    by_key("DELETE", "/auth/me").send().await.refused(403, "insufficient_permissions");
    by_key("GET", "/auth/me/export").send().await.refused(403, "insufficient_permissions");
    alice.request("DELETE", "/auth/me").send().await.expect(204);
    alice.me().await.refused(401, "invalid_credential");
    t.get("/auth/me").header("x-api-key", key.str("key")).send().await.refused(403, "invalid_api_key");
    alice.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    let root = t.user("root").role(wardgate::BuiltinRole::Superadmin).signed_in().await;
    root.request("DELETE", "/auth/me").send().await.refused(409, "last_superadmin");
}
