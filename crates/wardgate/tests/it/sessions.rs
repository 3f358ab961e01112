//! The list of sessions, ending them, logging out.

use serde_json::json;

use crate::support::TestGate;

#[tokio::test]
async fn one_sees_and_ends_ones_own_sessions_only() {
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let bob = t.user("bob").signed_in().await;
    let first = alice.access.clone();
    t.advance(std::time::Duration::from_secs(5));
    alice.sign_in().await;

    let list = alice.get("/auth/sessions").send().await.expect(200);
    let items = list.body["items"].as_array().unwrap();
    assert_eq!((items.len(), &list.body["next_cursor"]), (2, &json!(null)));
    assert_eq!((&items[0]["current"], &items[1]["current"]), (&json!(true), &json!(false)), "newest first");

    let others = bob.get("/auth/sessions").send().await.expect(200).body["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for id in [others.as_str(), "ses_00000000000070008000000000000000", "nonsense", "usr_1"] {
        alice.request("DELETE", &format!("/auth/sessions/{id}")).send().await.refused(404, "not_found");
    }
    bob.me().await.expect(200);

    let old = items[1]["id"].as_str().unwrap();
    alice.request("DELETE", &format!("/auth/sessions/{old}")).send().await.expect(204);
    t.get("/auth/me").bearer(&first).send().await.refused(401, "invalid_credential");
    alice.me().await.expect(200);
    alice.request("DELETE", &format!("/auth/sessions/{old}")).send().await.refused(404, "not_found");
}

#[tokio::test]
async fn long_lists_come_in_pages_whose_cursors_cannot_be_forged() {
    // S-107, S-146
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let bob = t.user("bob").signed_in().await;
    for _ in 0..4 {
        alice.sign_in().await;
    }
    let mut seen = Vec::new();
    let mut path = "/auth/sessions?limit=2".to_owned();
    let mut cursor = String::new();
    loop {
        let page = alice.get(&path).send().await.expect(200);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
        path = format!("/auth/sessions?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5, "no session stands on two pages");

    bob.get(&format!("/auth/sessions?cursor={cursor}")).send().await.refused(400, "invalid_cursor");
    alice.get(&format!("/auth/sessions?cursor={cursor}x")).send().await.refused(400, "invalid_cursor");
    alice.get("/auth/sessions?cursor=AAAA").send().await.refused(400, "invalid_cursor");
    for limit in ["0", "201", "-1", "1000000000", "many", "", "1e2"] {
        alice.get(&format!("/auth/sessions?limit={limit}")).send().await.refused(422, "invalid_fields");
    }
}

#[tokio::test]
async fn logging_out_kills_the_session_by_either_token() {
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    // By the bearer token, with an empty body.
    alice.post("/auth/logout").send().await.expect(204);
    alice.me().await.refused(401, "invalid_credential");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.post("/auth/logout").send().await.refused(401, "invalid_credential");

    // By the refresh token, as JSON and as a form.
    alice.sign_in().await;
    t.post("/auth/logout").json(&json!({ "refresh_token": alice.refresh })).send().await.expect(204);
    alice.me().await.refused(401, "invalid_credential");
    alice.sign_in().await;
    t.post("/auth/logout").form(&format!("refresh_token={}", alice.refresh)).send().await.expect(204);
    alice.me().await.refused(401, "invalid_credential");

    // By both, when the access token has ended.
    alice.sign_in().await;
    t.advance(std::time::Duration::from_secs(3600));
    alice.post("/auth/logout").json(&json!({ "refresh_token": alice.refresh })).send().await.expect(204);
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");

    t.post("/auth/logout").send().await.refused(401, "missing_credential");
    t.post("/auth/logout")
        .json(&json!({ "refresh_token": "wgr_x" }))
        .send()
        .await
        .refused(401, "invalid_refresh_token");
    t.post("/auth/logout").json(&json!({ "refresh_token": alice.refresh })).send().await.expect(401);
}

#[tokio::test]
async fn tokens_of_two_sessions_in_one_logout_end_neither() {
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let other_refresh = alice.refresh.clone();
    alice.sign_in().await;
    alice.post("/auth/logout").json(&json!({ "refresh_token": other_refresh })).send().await.expect(401);
    alice.me().await.expect(200);
    alice.present(&other_refresh).await.expect(200);
}
