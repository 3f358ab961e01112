//! `/admin/providers`: what administrators of a tenant set up.

use serde_json::{Value, json};
use wardgate::{AuthError, BuiltinRole, Preset, ProviderSettings, TenantId};

use super::gate;
use crate::support::upstream::{CLIENT, SECRET, Trip, federated};
use crate::support::{PASSWORD, Persona, TestGate, upstream::Upstream};

async fn boss(t: &TestGate) -> Persona<'_> {
    t.user("boss").role(BuiltinRole::Admin).signed_in().await
}

fn new(upstream: &Upstream, name: &str) -> Value {
    json!({
        "name": name, "preset": "oidc", "issuer": upstream.issuer(), "client_id": CLIENT, "client_secret": SECRET,
    })
}

#[tokio::test]
async fn a_provider_is_set_up_used_changed_switched_off_and_removed() {
    let (t, upstream) = federated(|builder, _| builder).await;
    let boss = boss(&t).await;
    let made = boss.post("/admin/providers").json(&new(&upstream, "corp")).send().await.expect(201);
    assert_eq!(
        made.body,
        json!({
            "name": "corp", "label": "OpenID Connect", "preset": "oidc", "issuer": upstream.issuer(),
            "client_id": CLIENT, "has_secret": true, "team_id": null, "key_id": null, "scopes": [],
            "links_verified_email": false, "is_active": true,
            "redirect_uri": "https://auth.example.com/auth/callback/corp", "created_at": "2026-01-01T00:00:00.000Z",
        })
    );
    let path = "/admin/providers/corp";
    assert_eq!(boss.get(path).send().await.expect(200).body, made.body);
    let list = boss.get("/admin/providers").send().await.expect(200);
    assert_eq!(list.body, json!({ "items": [made.body], "next_cursor": null }));
    let public = t.get("/auth/providers").send().await.expect(200);
    assert_eq!(public.body["items"], json!([{ "name": "corp", "label": "OpenID Connect" }]));

    let trip = Trip::begin(&t, "/auth/login/corp").await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    let under_way = Trip::begin(&t, "/auth/login/corp").await;
    let change = json!({ "label": "Corporation", "scopes": ["openid", "email"] });
    let changed = boss.request("PATCH", path).json(&change).send().await.expect(200);
    assert_eq!(
        (&changed.body["label"], &changed.body["scopes"]),
        (&json!("Corporation"), &json!(["openid", "email"]))
    );
    // S-072: what was under way when something changed is over.
    under_way.back(&upstream.authorize(&under_way.location)).await.refused(400, "invalid_state");
    let trip = Trip::begin(&t, "/auth/login/corp").await;
    assert_eq!(crate::support::upstream::query_of(&trip.location)["scope"], "openid email");
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);

    let under_way = Trip::begin(&t, "/auth/login/corp").await;
    boss.request("PATCH", path).json(&json!({ "is_active": false })).send().await.expect(200);
    under_way.back(&upstream.authorize(&under_way.location)).await.refused(404, "not_found");
    t.get("/auth/login/corp").send().await.refused(404, "not_found");
    assert_eq!(t.get("/auth/providers").send().await.body["items"], json!([]));
    boss.request("PATCH", path).json(&json!({ "is_active": true })).send().await.expect(200);
    under_way.back(&upstream.authorize(&under_way.location)).await.refused(400, "invalid_state");
    let trip = Trip::begin(&t, "/auth/login/corp").await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);

    let under_way = Trip::begin(&t, "/auth/login/corp").await;
    boss.request("DELETE", path).send().await.expect(204);
    under_way.back(&upstream.authorize(&under_way.location)).await.refused(404, "not_found");
    for method in ["GET", "DELETE"] {
        boss.request(method, path).send().await.refused(404, "not_found");
    }
    boss.request("PATCH", path).json(&json!({})).send().await.refused(404, "not_found");
    let actions: Vec<String> = super::recorded(&t).await.into_iter().map(|(action, _)| action).collect();
    for (action, times) in [("provider.created", 1), ("provider.updated", 3), ("provider.deleted", 1)] {
        assert_eq!(actions.iter().filter(|known| *known == action).count(), times, "{action}");
    }
}

#[tokio::test]
async fn a_superadmin_who_signs_in_through_a_provider_is_one_who_stays() {
    // S-105
    let (t, upstream) =
        federated(|builder, upstream| builder.provider(upstream.settings("op", Preset::Oidc))).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let refused = |result| assert!(matches!(result, Err(AuthError::LastSuperadmin)), "{result:?}");
    let sso = super::me(&t, &super::sign_in(&t, &upstream).await.expect(200)).await;
    let sso = sso["id"].as_str().unwrap().parse().unwrap();
    t.set_roles(sso, &["superadmin"]).await.unwrap();
    // Where the provider is no more, or is another by now, they cannot sign in.
    let without = t.beside(|builder| builder).await;
    refused(without.delete(root.id).await);
    let elsewhere = upstream.settings("op", Preset::Oidc).at("https://op.example.com");
    refused(t.beside(|builder| builder.provider(elsewhere)).await.delete(root.id).await);
    t.delete(root.id).await.unwrap();
    refused(t.delete(sso).await);
}

#[tokio::test]
async fn the_provider_of_the_last_superadmin_stays() {
    // S-105
    let (t, upstream) = federated(|builder, _| builder).await;
    let (boss, path) = (boss(&t).await, "/admin/providers/corp");
    let root = t.user("root").role(BuiltinRole::Superadmin).registered().await;
    boss.post("/admin/providers").json(&new(&upstream, "corp")).send().await.expect(201);
    let trip = Trip::begin(&t, "/auth/login/corp").await;
    let sso = super::me(&t, &trip.back(&upstream.authorize(&trip.location)).await.expect(200)).await;
    t.set_roles(sso["id"].as_str().unwrap().parse().unwrap(), &["superadmin"]).await.unwrap();
    let patch = async |change: Value| boss.request("PATCH", path).json(&change).send().await;
    // Another can sign in without it.
    patch(json!({ "is_active": false })).await.expect(200);
    let refused = |result| assert!(matches!(result, Err(AuthError::LastSuperadmin)), "{result:?}");
    refused(t.delete(root.id).await);
    patch(json!({ "is_active": true })).await.expect(200);
    // A name that the configuration took over is another provider's.
    let ours = upstream.settings("corp", Preset::Oidc).at("https://op.example.com");
    refused(t.beside(|builder| builder.provider(ours)).await.delete(root.id).await);
    t.delete(root.id).await.unwrap();
    patch(json!({ "is_active": false })).await.refused(409, "last_superadmin");
    let moved = json!({ "issuer": "https://op.example.com", "client_secret": "another" });
    patch(moved).await.refused(409, "last_superadmin");
    boss.request("DELETE", path).send().await.refused(409, "last_superadmin");
    patch(json!({ "label": "Corporation" })).await.expect(200);
    let trip = Trip::begin(&t, "/auth/login/corp").await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
}

#[tokio::test]
async fn a_name_that_the_configuration_takes_over_is_shown_once() {
    let (t, upstream) = federated(|builder, _| builder).await;
    boss(&t).await.post("/admin/providers").json(&new(&upstream, "corp")).send().await.expect(201);
    let ours = ProviderSettings { label: "Ours".to_owned(), ..upstream.settings("corp", Preset::Oidc) };
    let t = t.beside(|builder| builder.provider(ours)).await;
    let shown = t.get("/auth/providers").send().await.expect(200);
    assert_eq!(shown.body["items"], json!([{ "name": "corp", "label": "Ours" }]));
}

#[tokio::test]
async fn the_secret_is_sealed_and_goes_nowhere_else() {
    // S-139
    let (t, upstream) = federated(|builder, _| builder).await;
    let boss = boss(&t).await;
    let made = boss.post("/admin/providers").json(&new(&upstream, "corp")).send().await.expect(201);
    assert!(!made.text.contains("s3cret"));
    if let Some(folder) = t.scratch().folder() {
        for file in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
        }
    }
    // Whoever may change the provider must not have the secret sent to a place of theirs.
    let evil = Upstream::new(t.clock.clone()).await;
    let path = "/admin/providers/corp";
    let patch = |body: Value| boss.request("PATCH", path).json(&body);
    for change in [
        json!({ "issuer": evil.issuer() }),
        json!({ "client_id": "another" }),
        json!({ "issuer": evil.issuer(), "label": "Evil" }),
    ] {
        let refused = patch(change).send().await.refused(422, "invalid_fields");
        assert_eq!(refused.body["errors"][0]["pointer"], "#/client_secret");
    }
    assert_eq!(boss.get(path).send().await.body, made.body);
    patch(json!({ "issuer": evil.issuer(), "client_secret": SECRET })).send().await.expect(200);
    let trip = Trip::begin(&t, "/auth/login/corp").await;
    trip.back(&evil.authorize(&trip.location)).await.expect(200);
    assert_eq!(upstream.asked("token"), 0);
    // Nor does it open in another row, or for another issuer.
    const MOVE: wardgate_store::Sql =
        wardgate_store::sql!("UPDATE upstream_providers SET issuer = $3 WHERE tenant_id = $1 AND name = $2");
    let moved = t.scratch().db().write(TenantId::DEFAULT.into(), upstream.issuer(), |tx, issuer| {
        Box::pin(async move { tx.exec(MOVE, &wardgate_store::params!["corp", *issuer]).await.map(drop) })
    });
    moved.await.unwrap();
    t.get("/auth/login/corp").send().await.refused(500, "internal_error");
}

#[tokio::test]
async fn what_cannot_be_a_provider_is_refused() {
    let (t, upstream) = gate(false).await;
    let boss = boss(&t).await;
    let refused = async |change: Value, pointer: &str| {
        let mut body = new(&upstream, "corp");
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
                value => body[name] = value.clone(),
            }
        }
        let reply = boss.post("/admin/providers").json(&body).send().await.refused(422, "invalid_fields");
        assert_eq!(reply.body["errors"][0]["pointer"], pointer, "{change}");
    };
    refused(json!({ "name": "A" }), "#/name").await;
    refused(json!({ "preset": "myspace" }), "#/preset").await;
    refused(json!({ "issuer": null }), "#/issuer").await;
    refused(json!({ "issuer": "ftp://x" }), "#/issuer").await;
    refused(json!({ "label": "" }), "#/label").await;
    refused(json!({ "scopes": ["email"] }), "#/scopes").await;
    refused(json!({ "team_id": "T" }), "#/team_id").await;
    refused(json!({ "preset": "google", "client_secret": null }), "#/client_secret").await;
    refused(
        json!({ "preset": "apple", "client_secret": "no key", "team_id": "T", "key_id": "K" }),
        "#/client_secret",
    )
    .await;
    // The configuration's own name, and one that is taken.
    boss.post("/admin/providers").json(&new(&upstream, "op")).send().await.refused(409, "provider_exists");
    boss.post("/admin/providers").json(&new(&upstream, "corp")).send().await.expect(201);
    boss.post("/admin/providers").json(&new(&upstream, "corp")).send().await.refused(409, "provider_exists");
    for number in 1..20 {
        let name = format!("corp-{number}");
        boss.post("/admin/providers").json(&new(&upstream, &name)).send().await.expect(201);
    }
    boss.post("/admin/providers")
        .json(&new(&upstream, "more"))
        .send()
        .await
        .refused(409, "too_many_providers");
}

#[tokio::test]
async fn leading_to_accounts_is_for_those_above_them() {
    // S-105
    let (t, upstream) = federated(|builder, _| builder).await;
    let boss = boss(&t).await;
    let role = json!({ "name": "clerk", "permissions": ["providers:read", "providers:write"] });
    boss.post("/admin/roles").json(&role).send().await.expect(201);
    let clerk = t.user("clerk").signed_in().await;
    t.set_roles(clerk.id, &["clerk"]).await.unwrap();
    clerk.post("/admin/providers").json(&new(&upstream, "plain")).send().await.expect(201);
    let mut trusted = new(&upstream, "trusted");
    trusted["links_verified_email"] = json!(true);
    let refused = async |path: &str, method: &str, body: &Value| {
        clerk.request(method, path).json(body).send().await.refused(403, "insufficient_permissions");
    };
    refused("/admin/providers", "POST", &trusted).await;
    let trust = json!({ "links_verified_email": true });
    refused("/admin/providers/plain", "PATCH", &trust).await;
    boss.post("/admin/providers").json(&trusted).send().await.expect(201);
    // Nor may they lead elsewhere what leads to accounts.
    refused("/admin/providers/trusted", "PATCH", &json!({ "label": "Mine" })).await;
    clerk
        .request("PATCH", "/admin/providers/plain")
        .json(&json!({ "label": "Mine" }))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn each_tenant_has_providers_and_links_of_its_own() {
    // S-102, S-103
    let (t, upstream) =
        federated(|builder, upstream| builder.provider(upstream.settings("op", Preset::Oidc))).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let mut ids = Vec::new();
    for slug in ["acme", "zeta"] {
        let body = json!({ "slug": slug, "name": slug });
        ids.push(root.post("/admin/tenants").json(&body).send().await.expect(201).str("id"));
    }
    // What the configuration has is the default tenant's.
    assert_eq!(t.get("/t/acme/auth/providers").send().await.expect(200).body["items"], json!([]));
    t.get("/t/acme/auth/login/op").send().await.refused(404, "not_found");
    let at_acme = format!("/admin/tenants/{}/providers", ids[0]);
    let made = root.post(&at_acme).json(&new(&upstream, "op")).send().await.expect(201);
    assert_eq!(made.body["redirect_uri"], "https://auth.example.com/t/acme/auth/callback/op");
    t.get("/t/zeta/auth/login/op").send().await.refused(404, "not_found");

    let trip = Trip::begin(&t, "/t/acme/auth/login/op").await;
    assert!(trip.cookie.starts_with("__Host-wardgate_upstream_acme="), "{}", trip.cookie);
    let callback = upstream.authorize(&trip.location);
    // Another tenant's way back is none of this one's.
    let elsewhere = format!("/auth/callback/op?{}", crate::support::upstream::query(&callback));
    let cookie = trip.cookie.replace("_acme", "");
    t.get(&elsewhere).header("cookie", cookie).send().await.refused(400, "invalid_state");
    let signed_in = trip.back(&callback).await.expect(200);
    let access = signed_in.str("access_token");
    let ada = t.get("/t/acme/auth/me").bearer(&access).send().await.expect(200);
    assert_eq!(ada.body["tenant"], "acme");
    // The same person is another here.
    let trip = Trip::begin(&t, "/auth/login/op").await;
    let here = trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    assert_ne!(super::me(&t, &here).await["id"], ada.body["id"]);
    let id = t.get("/t/acme/auth/identities").bearer(&access).send().await.expect(200).body["items"][0]["id"]
        .clone();
    let path = format!("/auth/identities/{}", id.as_str().unwrap());
    t.request("DELETE", &path).bearer(&here.str("access_token")).send().await.refused(404, "not_found");

    // S-106: mid-flow, too.
    let trip = Trip::begin(&t, "/t/acme/auth/login/op").await;
    root.post(&format!("/admin/tenants/{}/suspend", ids[0])).send().await.expect(204);
    trip.back(&upstream.authorize(&trip.location)).await.refused(403, "tenant_suspended");
    t.get("/t/acme/auth/providers").send().await.refused(403, "tenant_suspended");
    root.post(&format!("/admin/tenants/{}/resume", ids[0])).send().await.expect(204);
    root.request("DELETE", &format!("/admin/tenants/{}", ids[0])).send().await.expect(204);
    let tenant: TenantId = ids[0].parse().unwrap();
    for table in ["identity_links", "upstream_providers", "upstream_flows"] {
        let rows = wardgate_store::testing::count_rows(t.scratch().db(), table, tenant.into()).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn changing_providers_asks_for_a_fresh_sign_in() {
    let (t, upstream) = federated(|builder, _| builder).await;
    let boss = boss(&t).await;
    t.advance(std::time::Duration::from_secs(15 * 60));
    let access = boss.present(&boss.refresh).await.expect(200).str("access_token");
    let create = || t.post("/admin/providers").bearer(&access).json(&new(&upstream, "corp"));
    create().send().await.refused(403, "step_up_required");
    t.get("/admin/providers").bearer(&access).send().await.expect(200);
    t.post("/auth/step-up").bearer(&access).json(&json!({ "password": PASSWORD })).send().await.expect(204);
    create().send().await.expect(201);
}
