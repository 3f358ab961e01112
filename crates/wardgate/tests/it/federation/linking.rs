//! Whose account it is: by issuer and subject, never by an address alone.

use serde_json::json;
use wardgate::{BuiltinRole, Preset, ProviderSettings, RegistrationMode, TenantId};

use super::{gate, me, recorded, sign_in};
use crate::support::upstream::{Trip, federated};
use crate::support::{PASSWORD, Persona, Reply, TestGate, urls};

/// Proves the address of a persona, as a mailed link would.
async fn prove_address(t: &TestGate, alice: &Persona<'_>) {
    const VERIFY: wardgate_store::Sql = wardgate_store::sql!(
        "UPDATE users SET email_verified_at = $3 WHERE tenant_id = $1 AND email_normalized = $2"
    );
    let (email, now) = (alice.email.clone(), t.now().as_millis());
    let written = t.scratch().db().write(TenantId::DEFAULT.into(), (email, now), |tx, (email, now)| {
        Box::pin(async move { tx.exec(VERIFY, &wardgate_store::params![email, *now]).await.map(drop) })
    });
    written.await.unwrap();
}

async fn links(alice: &Persona<'_>) -> Vec<serde_json::Value> {
    alice.get("/auth/identities").send().await.expect(200).body["items"].as_array().unwrap().clone()
}

async fn begin_link<'t>(t: &'t TestGate, alice: &Persona<'t>, body: serde_json::Value) -> Trip<'t> {
    let begun = alice.post("/auth/identities").json(&body).send().await.expect(200);
    Trip::begun(t, "/auth/login/op", &begun, begun.str("location"))
}

#[tokio::test]
async fn an_address_alone_leads_to_no_account() {
    // S-068
    let (t, upstream) = gate(false).await;
    let ada = t.user("ada").signed_in().await;
    for (verified_here, verified_there) in [(false, false), (false, true), (true, false), (true, true)] {
        if verified_here {
            prove_address(&t, &ada).await;
        }
        upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": verified_there });
        sign_in(&t, &upstream).await.refused(403, "linking_refused");
    }
    assert!(links(&ada).await.is_empty());
    ada.log_in(PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_trusted_provider_leads_to_the_account_of_an_address_that_both_have_seen() {
    // S-068
    let (t, upstream) = gate(true).await;
    let ada = t.user("ada").signed_in().await;
    prove_address(&t, &ada).await;
    upstream.is().claims = json!({ "email": "ADA@example.com", "email_verified": false });
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
    upstream.is().claims = json!({ "email": "ADA@example.com", "email_verified": true });
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &signed_in).await["id"], ada.id.to_string());
    // What was there before is hers as well.
    ada.me().await.expect(200);
    ada.log_in(PASSWORD).await.expect(200);
    let linked = links(&ada).await;
    assert_eq!((&linked[0]["provider"], &linked[0]["issuer"]), (&json!("op"), &json!(upstream.issuer())));
    assert_eq!((&linked[0]["subject"], linked.len()), (&json!("248289761001"), 1));
    // Somebody else there, with the same address, is another.
    upstream.is().subject = "another".to_owned();
    let other = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &other).await["id"], ada.id.to_string());
    assert_eq!(links(&ada).await.len(), 2);
}

#[tokio::test]
async fn the_accounts_of_administrators_are_linked_by_themselves_only() {
    // S-105: who sets up providers may be less than they are.
    for role in [BuiltinRole::Admin, BuiltinRole::Superadmin] {
        let (t, upstream) = gate(true).await;
        let ada = t.user("ada").role(role).signed_in().await;
        sign_in(&t, &upstream).await.refused(403, "linking_refused");
        prove_address(&t, &ada).await;
        sign_in(&t, &upstream).await.refused(403, "linking_refused");
        let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
        trip.back(&upstream.authorize(&trip.location)).await.expect(200);
        let signed_in = sign_in(&t, &upstream).await.expect(200);
        assert_eq!(me(&t, &signed_in).await["id"], ada.id.to_string());
    }
}

#[tokio::test]
async fn whoever_may_do_what_an_administrator_may_not_is_linked_by_themselves_only() {
    // S-105: an administrator decides which provider is trusted.
    let (t, upstream) = gate(true).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    for (role, permission) in [("tenant-ops", "tenants:write"), ("support", "users:read")] {
        let new = json!({ "name": role, "permissions": [permission] });
        root.post("/admin/roles").json(&new).send().await.expect(201);
    }
    let ada = t.user("ada").signed_in().await;
    prove_address(&t, &ada).await;
    t.set_roles(ada.id, &["tenant-ops"]).await.unwrap();
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
    t.set_roles(ada.id, &["support"]).await.unwrap();
    sign_in(&t, &upstream).await.expect(200);
}

#[tokio::test]
async fn a_link_by_an_address_does_not_rise_with_its_user() {
    // S-068, S-105: whoever runs the provider, or set it up, was in already.
    for by_role in [false, true] {
        let (t, upstream) = gate(true).await;
        let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
        let ops = json!({ "name": "ops", "permissions": ["users:read"] });
        root.post("/admin/roles").json(&ops).send().await.expect(201);
        let mut ada = t.user("ada").signed_in().await;
        prove_address(&t, &ada).await;
        t.set_roles(ada.id, &["user", "ops"]).await.unwrap();
        let inside = sign_in(&t, &upstream).await.expect(200);
        assert_eq!(me(&t, &inside).await["id"], ada.id.to_string());
        assert_eq!(links(&ada).await[0]["by_address"], json!(true));

        if by_role {
            let more = json!({ "permissions": ["users:read", "tenants:write"] });
            root.request("PATCH", "/admin/roles/ops").json(&more).send().await.expect(200);
        } else {
            t.set_roles(ada.id, &["user", "admin"]).await.unwrap();
        }
        let stale = t.get("/auth/me").bearer(&inside.str("access_token")).send().await;
        stale.refused(401, "invalid_credential");
        ada.present(&inside.str("refresh_token")).await.refused(401, "invalid_refresh_token");
        sign_in(&t, &upstream).await.refused(403, "linking_refused");
        ada.me().await.expect(200);

        // She says herself that it is hers.
        ada.sign_in().await;
        let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
        trip.back(&upstream.authorize(&trip.location)).await.expect(200);
        assert_eq!((links(&ada).await.len(), &links(&ada).await[0]["by_address"]), (1, &json!(false)));
        let signed_in = sign_in(&t, &upstream).await.expect(200);
        assert_eq!(me(&t, &signed_in).await["id"], ada.id.to_string());
        let linked = ("identity.linked".to_owned(), "success".to_owned());
        assert_eq!(recorded(&t).await.iter().filter(|record| **record == linked).count(), 2);
        // Once more changes nothing.
        let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
        trip.back(&upstream.authorize(&trip.location)).await.expect(200);
        assert_eq!(recorded(&t).await.iter().filter(|record| **record == linked).count(), 2);
    }
}

#[tokio::test]
async fn whoever_is_in_by_an_address_makes_no_better_link() {
    // S-105
    let (t, upstream) = gate(true).await;
    let ada = t.user("ada").signed_in().await;
    prove_address(&t, &ada).await;
    let mut inside = t.user("bob").registered().await;
    inside.keep(&sign_in(&t, &upstream).await.expect(200));
    assert_eq!(inside.me().await.body["id"], ada.id.to_string());
    let link = async |subject: &str, how: &Persona<'_>| {
        upstream.is().subject = subject.to_owned();
        let trip = begin_link(&t, how, json!({ "provider": "op" })).await;
        trip.back(&upstream.authorize(&trip.location)).await.expect(200);
        t.tick();
        links(&ada).await.iter().map(|link| link["by_address"] == json!(true)).collect::<Vec<_>>()
    };
    assert_eq!(link("248289761001", &inside).await, [true]);
    assert_eq!(link("of the provider's", &inside).await, [true, true]);
    // Who proves the password is the owner, wherever they came from.
    inside.post("/auth/step-up").json(&json!({ "password": PASSWORD })).send().await.expect(204);
    assert_eq!(link("248289761001", &inside).await, [true, false]);
    t.set_roles(ada.id, &["user", "admin"]).await.unwrap();
    inside.me().await.expect(200);
    sign_in(&t, &upstream).await.expect(200);
    upstream.is().subject = "of the provider's".to_owned();
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
}

#[tokio::test]
async fn a_superadmin_by_an_address_alone_is_none_who_remains() {
    // S-105: nobody could give the role back.
    let (t, upstream) = gate(true).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let ada = t.user("ada").registered().await;
    // Nobody had proven the address, so the password goes and the link is all there is.
    sign_in(&t, &upstream).await.expect(200);
    let listed = t.gate.identities().list(TenantId::DEFAULT, ada.id).await.unwrap();
    assert!(listed[0].by_address);
    t.set_roles(ada.id, &["superadmin"]).await.unwrap();
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
    let left = t.delete(root.id).await.unwrap_err();
    assert_eq!(left.code(), "last_superadmin");
}

#[tokio::test]
async fn whoever_registered_with_anothers_address_keeps_nothing_of_it() {
    // S-128
    let (t, upstream) = gate(true).await;
    let squatter = t.user("ada").signed_in().await;
    let key =
        squatter.post("/auth/api-keys").json(&json!({ "name": "k" })).send().await.expect(201).str("key");
    // They have linked a provider of theirs as well.
    upstream.is().subject = "squatter".to_owned();
    upstream.is().claims = json!({ "email": "squatter@example.com", "email_verified": true });
    let trip = begin_link(&t, &squatter, json!({ "provider": "op" })).await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);

    upstream.is().subject = "the real ada".to_owned();
    upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": true });
    let ada = sign_in(&t, &upstream).await.expect(200);
    let account = me(&t, &ada).await;
    assert_eq!((&account["id"], &account["email_verified"]), (&json!(squatter.id.to_string()), &json!(true)));
    squatter.log_in(PASSWORD).await.refused(401, "incorrect_credentials");
    squatter.me().await.refused(401, "invalid_credential");
    squatter.present(&squatter.refresh).await.refused(401, "invalid_refresh_token");
    t.get("/auth/me").header("x-api-key", &key).send().await.refused(403, "invalid_api_key");
    upstream.is().subject = "squatter".to_owned();
    upstream.is().claims = json!({ "email": "squatter@example.com", "email_verified": true });
    let other = sign_in(&t, &upstream).await.expect(200);
    assert_ne!(me(&t, &other).await["id"], account["id"]);
    let log = recorded(&t).await;
    assert!(log.contains(&("user.unproven_cleared".to_owned(), "success".to_owned())));
}

#[tokio::test]
async fn registration_is_as_open_as_it_is_for_everybody() {
    let with_mode = async |mode: RegistrationMode, trusted: bool| {
        federated(|builder, upstream| {
            let settings =
                ProviderSettings { links_verified_email: trusted, ..upstream.settings("op", Preset::Oidc) };
            let builder = builder.provider(settings).registration(mode);
            builder.mailer(std::sync::Arc::new(wardgate::RecordingMailer::default())).link_urls(urls())
        })
        .await
    };
    let (t, upstream) = with_mode(RegistrationMode::Closed, true).await;
    sign_in(&t, &upstream).await.refused(403, "registration_closed");
    // Somebody who has an account gets in, and what is no address of theirs tells nothing.
    let ada = t.user("ada").registered().await;
    upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": false });
    sign_in(&t, &upstream).await.refused(403, "registration_closed");
    upstream.is().claims = json!({ "email": "nobody@example.com", "email_verified": false });
    sign_in(&t, &upstream).await.refused(403, "registration_closed");
    upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": true });
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &signed_in).await["id"], ada.id.to_string());

    let (t, upstream) = with_mode(RegistrationMode::Verified, false).await;
    t.user("bob").registered().await;
    for email in ["ada@example.com", "bob@example.com"] {
        upstream.is().claims = json!({ "email": email, "email_verified": false });
        sign_in(&t, &upstream).await.refused(403, "linking_refused");
    }
    // Nor does the word of a provider that is not trusted with addresses prove one.
    upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": true });
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
    let (t, upstream) = with_mode(RegistrationMode::Verified, true).await;
    sign_in(&t, &upstream).await.expect(200);

    let (t, upstream) = with_mode(RegistrationMode::Open, false).await;
    upstream.is().claims = json!({ "email": "ada@example.com" });
    let unproven = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &unproven).await["email_verified"], false);
}

#[tokio::test]
async fn nobody_becomes_a_user_without_an_address() {
    let (t, upstream) = gate(true).await;
    for claims in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": "", "email_verified": true }),
        json!({ "email": "not an address", "email_verified": true }),
        json!({ "email": "a@x.org,b@y.org", "email_verified": true }),
    ] {
        upstream.is().claims = claims.clone();
        upstream.is().userinfo = json!({ "sub": "248289761001" });
        let refused = sign_in(&t, &upstream).await;
        assert_eq!(refused.body["code"], "linking_refused", "{claims}: {refused:?}");
    }
    upstream.is().claims = json!({ "email": "ada@example.com", "email_verified": true, "name": "a\nb" });
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &signed_in).await["name"], json!(null));
}

#[tokio::test]
async fn a_signed_in_user_links_unlinks_and_keeps_a_way_in() {
    // S-120
    let (t, upstream) = gate(false).await;
    let ada = t.user("ada").signed_in().await;
    let trip = begin_link(&t, &ada, json!({ "provider": "op", "next": "/account" })).await;
    let arrived = trip.back(&upstream.authorize(&trip.location)).await.expect(303);
    assert_eq!(arrived.header("location"), "/account");
    // A link is no sign-in.
    assert!(crate::support::upstream::cookie_of(&arrived, "wardgate_session").is_empty());
    let linked = links(&ada).await;
    assert_eq!((linked.len(), &linked[0]["email"]), (1, &json!("ada@example.com")));
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &signed_in).await["id"], ada.id.to_string());
    // Once more is no fault, and changes nothing.
    let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
    let again = trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    assert_eq!(again.body, json!({ "message": "Linked" }));
    assert_eq!(links(&ada).await.len(), 1);

    let path = format!("/auth/identities/{}", linked[0]["id"].as_str().unwrap());
    let eve = t.user("eve").signed_in().await;
    eve.request("DELETE", &path).send().await.refused(404, "not_found");
    ada.request("DELETE", "/auth/identities/idn_x").send().await.refused(404, "not_found");
    ada.request("DELETE", &path).send().await.expect(204);
    ada.request("DELETE", &path).send().await.refused(404, "not_found");
    assert!(links(&ada).await.is_empty());
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
    let actions: Vec<String> = recorded(&t).await.into_iter().map(|(action, _)| action).collect();
    for action in ["identity.linked", "identity.unlinked"] {
        assert_eq!(actions.iter().filter(|known| *known == action).count(), 1, "{action}");
    }
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let (t, upstream) = federated(|builder, upstream| {
        builder
            .provider(upstream.settings("op", Preset::Oidc))
            .provider(upstream.settings("second", Preset::Oidc))
    })
    .await;
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    let access = signed_in.str("access_token");
    let list = async || -> Vec<String> {
        let listed = t.get("/auth/identities").bearer(&access).send().await.expect(200);
        let items = listed.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let remove = async |id: &str| -> Reply {
        t.request("DELETE", &format!("/auth/identities/{id}")).bearer(&access).send().await
    };
    let first = list().await.remove(0);
    remove(&first).await.refused(409, "last_credential");
    // Another one is a way, as long as it is on.
    upstream.is().subject = "second".to_owned();
    let body = json!({ "provider": "second" });
    let begun = t.post("/auth/identities").bearer(&access).json(&body).send().await.expect(200);
    let trip = Trip::begun(&t, "/auth/login/second", &begun, begun.str("location"));
    t.tick();
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    let without = t
        .beside(|builder| {
            builder
                .internal_hosts(vec!["127.0.0.1".to_owned()])
                .provider(upstream.settings("op", Preset::Oidc))
        })
        .await;
    let path = format!("/auth/identities/{first}");
    without.request("DELETE", &path).bearer(&access).send().await.refused(409, "last_credential");
    remove(&first).await.expect(204);
    let last = list().await.remove(0);
    remove(&last).await.refused(409, "last_credential");
}

#[tokio::test]
async fn a_link_is_for_whoever_began_it_and_still_is_signed_in() {
    let (t, upstream) = gate(false).await;
    let ada = t.user("ada").signed_in().await;
    let eve = t.user("eve").signed_in().await;
    // Another's identity stays another's.
    let trip = begin_link(&t, &eve, json!({ "provider": "op" })).await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
    trip.back(&upstream.authorize(&trip.location)).await.refused(403, "linking_refused");
    assert!(links(&ada).await.is_empty());

    upstream.is().subject = "new".to_owned();
    // Another browser would link what is its own to an account that is not.
    let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
    trip.back_to("op", &upstream.authorize(&trip.location), "").await.refused(400, "invalid_state");
    let (logged_out, disabled) = (
        begin_link(&t, &ada, json!({ "provider": "op" })).await,
        begin_link(&t, &eve, json!({ "provider": "op" })).await,
    );
    ada.post("/auth/logout").send().await.expect(204);
    logged_out.back(&upstream.authorize(&logged_out.location)).await.refused(400, "invalid_state");
    t.disable(eve.id).await;
    disabled.back(&upstream.authorize(&disabled.location)).await.refused(400, "invalid_state");
    let anonymous = t.post("/auth/identities").json(&json!({ "provider": "op" })).send().await;
    anonymous.refused(401, "missing_credential");
}

#[tokio::test]
async fn the_owner_hears_of_what_was_linked_and_unlinked() {
    // S-120
    let mailer = std::sync::Arc::new(wardgate::RecordingMailer::default());
    let given = std::sync::Arc::clone(&mailer);
    let (t, upstream) = federated(|builder, upstream| {
        let settings =
            ProviderSettings { links_verified_email: true, ..upstream.settings("op", Preset::Oidc) };
        builder
            .provider(ProviderSettings { label: "Corp".to_owned(), ..settings })
            .mailer(given)
            .link_urls(urls())
    })
    .await;
    let subjects = async || -> Vec<(String, String)> {
        t.gate.tend().await.unwrap();
        let sent = mailer.take().into_iter();
        sent.map(|mail| (mail.to.as_str().to_owned(), mail.subject)).collect()
    };
    let to_ada = |subject: &str| vec![("ada@example.com".to_owned(), subject.to_owned())];
    let ada = t.user("ada").signed_in().await;
    prove_address(&t, &ada).await;
    sign_in(&t, &upstream).await.expect(200);
    assert_eq!(subjects().await, to_ada("Corp was linked to your account at auth.example.com"));
    sign_in(&t, &upstream).await.expect(200);
    assert_eq!(subjects().await, []);
    let path = format!("/auth/identities/{}", links(&ada).await[0]["id"].as_str().unwrap());
    ada.request("DELETE", &path).send().await.expect(204);
    assert_eq!(subjects().await, to_ada("A link was removed from your account at auth.example.com"));
    let trip = begin_link(&t, &ada, json!({ "provider": "op" })).await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    assert_eq!(subjects().await, to_ada("Corp was linked to your account at auth.example.com"));
    // A new account is no news, and an address that nobody has proven may be a stranger's.
    upstream.is().subject = "new".to_owned();
    upstream.is().claims = json!({ "email": "new@example.com", "email_verified": true });
    sign_in(&t, &upstream).await.expect(200);
    let bob = t.user("bob").signed_in().await;
    upstream.is().subject = "bob".to_owned();
    let trip = begin_link(&t, &bob, json!({ "provider": "op" })).await;
    trip.back(&upstream.authorize(&trip.location)).await.expect(200);
    let path = format!("/auth/identities/{}", links(&bob).await[0]["id"].as_str().unwrap());
    bob.request("DELETE", &path).send().await.expect(204);
    assert_eq!(subjects().await, []);
}

#[tokio::test]
async fn whoever_may_say_any_address_at_a_provider_owns_none() {
    // S-068, S-128
    let mailer = std::sync::Arc::new(wardgate::RecordingMailer::default());
    let given = std::sync::Arc::clone(&mailer);
    let (t, upstream) = federated(|builder, upstream| {
        builder.provider(upstream.settings("op", Preset::Oidc)).mailer(given).link_urls(urls())
    })
    .await;
    upstream.is().claims = json!({ "email": "ceo@example.com", "email_verified": true });
    let mallory = sign_in(&t, &upstream).await.expect(200);
    assert_eq!(me(&t, &mallory).await["email_verified"], false);
    let forgot = json!({ "email": "ceo@example.com" });
    t.post("/auth/password/forgot").json(&forgot).send().await.expect(202);
    t.gate.tend().await.unwrap();
    let token = crate::mail::token(&mailer.take().remove(0));
    let reset = json!({ "token": token, "new_password": "an entirely new sentence" });
    t.post("/auth/password/reset").json(&reset).send().await.expect(204);
    // Whoever reads the mail has the account, and nobody else has.
    t.get("/auth/me").bearer(&mallory.str("access_token")).send().await.refused(401, "invalid_credential");
    sign_in(&t, &upstream).await.refused(403, "linking_refused");
}

#[tokio::test]
async fn an_api_key_links_nothing() {
    // S-061
    let (t, upstream) = gate(false).await;
    let ada = t.user("ada").signed_in().await;
    let scopes = json!({ "name": "k", "scopes": ["identities:read", "identities:write"] });
    let key = ada.post("/auth/api-keys").json(&scopes).send().await.expect(201).str("key");
    let with_key = t.post("/auth/identities").header("x-api-key", &key).json(&json!({ "provider": "op" }));
    let refused = with_key.send().await;
    assert_eq!(refused.status, 403, "{refused:?}");
    t.get("/auth/identities").header("x-api-key", &key).send().await.expect(200);
    assert_eq!(upstream.asked("metadata"), 0);
}

#[tokio::test]
async fn whoever_is_disabled_or_deleted_does_not_come_in() {
    // S-072, S-155
    let (t, upstream) = gate(false).await;
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    let id: wardgate::UserId = me(&t, &signed_in).await["id"].as_str().unwrap().parse().unwrap();
    let trip = Trip::begin(&t, "/auth/login/op?next=/").await;
    t.disable(id).await;
    let refused = trip.back(&upstream.authorize(&trip.location)).await.refused(401, "incorrect_credentials");
    assert!(refused.headers.get("set-cookie").is_none());
    let log = recorded(&t).await;
    assert!(log.contains(&("session.signed_in".to_owned(), "refused".to_owned())), "{log:?}");
    t.enable(id).await;
    sign_in(&t, &upstream).await.expect(200);
    t.delete(id).await.unwrap();
    let rows =
        wardgate_store::testing::count_rows(t.scratch().db(), "identity_links", TenantId::DEFAULT.into());
    assert_eq!(rows.await.unwrap(), 0);
    // Whoever comes back after that is somebody new.
    let again = sign_in(&t, &upstream).await.expect(200);
    assert_ne!(me(&t, &again).await["id"], id.to_string());
}

#[tokio::test]
async fn what_is_exported_has_the_links() {
    let (t, upstream) = gate(false).await;
    let signed_in = sign_in(&t, &upstream).await.expect(200);
    let export = t.get("/auth/me/export").bearer(&signed_in.str("access_token")).send().await.expect(200);
    assert_eq!(export.body["identities"][0]["subject"], "248289761001");
}

#[tokio::test]
async fn two_who_come_at_once_are_one_user() {
    let (t, upstream) = gate(false).await;
    let trips = [Trip::begin(&t, "/auth/login/op").await, Trip::begin(&t, "/auth/login/op").await];
    let callbacks = trips.each_ref().map(|trip| upstream.authorize(&trip.location));
    let (a, b) = tokio::join!(trips[0].back(&callbacks[0]), trips[1].back(&callbacks[1]));
    let codes = [a.status.as_u16(), b.status.as_u16()];
    assert!(codes.contains(&200) && codes.iter().all(|code| [200, 403].contains(code)), "{codes:?}");
    let rows =
        wardgate_store::testing::count_rows(t.scratch().db(), "identity_links", TenantId::DEFAULT.into());
    assert_eq!(rows.await.unwrap(), 1);
    sign_in(&t, &upstream).await.expect(200);
}
