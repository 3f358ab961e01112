//! Refresh: rotation, replay, retry, races.

use std::time::Duration;

use serde_json::json;
use wardgate::{BuiltinRole, TenantId};

use crate::support::{Reply, TestGate};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn each_token_is_exchanged_for_the_next() {
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    for _ in 0..3 {
        let before = alice.refresh.clone();
        let reply = alice.present(&before).await.expect(200);
        alice.keep(&reply);
        assert_ne!(alice.refresh, before);
        assert_eq!(reply.header("cache-control"), "no-store");
        alice.me().await.expect(200);
    }
    let form = format!("grant_type=refresh_token&refresh_token={}&client_id=&scope=", alice.refresh);
    t.post("/auth/refresh").form(&form).send().await.expect(200);
}

#[tokio::test]
async fn a_replay_ends_the_family_and_its_access_tokens_and_leaves_one_record() {
    // S-039, S-041
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    let first = alice.refresh.clone();
    let second = alice.present(&first).await.expect(200);
    alice.keep(&second);
    t.advance(GRACE);
    let refused = alice.present(&first).await.refused(401, "invalid_refresh_token");
    assert_eq!(refused.body["detail"], "Invalid refresh token");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.me().await.refused(401, "invalid_credential");
    // A dead token is no tap for writes.
    alice.present(&first).await.refused(401, "invalid_refresh_token");
    let replays = t.gate.audit().newest(50).await.unwrap();
    assert_eq!(replays.iter().filter(|event| event.action == "refresh_token.replayed").count(), 1);
    // A restart forgets nothing.
    let restarted = t.beside(|b| b).await;
    let body = json!({ "refresh_token": first });
    restarted.post("/auth/refresh").json(&body).send().await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_token_used_again_after_its_successor_was_used_is_a_replay_even_within_the_grace() {
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let second = alice.present(&alice.refresh).await.expect(200).str("refresh_token");
    let third = alice.present(&second).await.expect(200).str("refresh_token");
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.present(&third).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_lost_reply_is_answered_with_the_same_successor() {
    // S-044
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let lost = alice.present(&alice.refresh).await.expect(200);
    t.advance(GRACE - Duration::from_millis(1));
    let retried = alice.present(&alice.refresh).await.expect(200);
    assert_eq!(retried.str("refresh_token"), lost.str("refresh_token"));
    // Also after a restart, and on another node.
    let other = t.beside(|b| b).await;
    let body = json!({ "refresh_token": alice.refresh });
    let elsewhere = other.post("/auth/refresh").json(&body).send().await.expect(200);
    assert_eq!(elsewhere.str("refresh_token"), lost.str("refresh_token"));
    t.get("/auth/me").bearer(&elsewhere.str("access_token")).send().await.expect(200);
}

#[tokio::test]
async fn a_grace_of_zero_switches_it_off() {
    let t = TestGate::with(|b| b.refresh_grace(Duration::ZERO)).await;
    let alice = t.user("alice").signed_in().await;
    alice.present(&alice.refresh).await.expect(200);
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn fifty_uses_at_once_leave_one_live_branch() {
    // S-040, on one node and on two
    let t = TestGate::new().await;
    let other = t.beside(|b| b).await;
    let alice = t.user("alice").signed_in().await;
    let body = json!({ "refresh_token": alice.refresh });
    let uses: Vec<_> = (0..50)
        .map(|i| tokio::spawn(if i % 2 == 0 { &t } else { &other }.post("/auth/refresh").json(&body).send()))
        .collect();
    let mut successors = Vec::new();
    for attempt in uses {
        successors.push(attempt.await.unwrap().expect(200).str("refresh_token"));
    }
    successors.dedup();
    assert_eq!(successors.len(), 1, "all were given the same successor");
    assert_eq!(unused_tokens(&t).await, 1);
    alice.present(&successors[0]).await.expect(200);
}

#[tokio::test]
async fn fifty_uses_at_once_without_a_grace_leave_none() {
    let t = TestGate::with(|b| b.refresh_grace(Duration::ZERO)).await;
    let alice = t.user("alice").signed_in().await;
    let body = json!({ "refresh_token": alice.refresh });
    let uses: Vec<_> = (0..50).map(|_| tokio::spawn(t.post("/auth/refresh").json(&body).send())).collect();
    let mut granted = Vec::new();
    for attempt in uses {
        let reply: Reply = attempt.await.unwrap();
        if reply.status == 200 {
            granted.push(reply);
        } else {
            reply.refused(401, "invalid_refresh_token");
        }
    }
    assert_eq!(granted.len(), 1);
    alice.present(&granted[0].str("refresh_token")).await.refused(401, "invalid_refresh_token");
}

async fn unused_tokens(t: &TestGate) -> i64 {
    use wardgate_store::{Sql, params, sql};
    const COUNT: Sql = sql!(
        "SELECT tenant_id, count(*) FROM refresh_tokens WHERE tenant_id = $1 AND consumed_at IS NULL GROUP BY tenant_id"
    );
    let count = t.gate.database().read(TenantId::DEFAULT.into(), (), |tx, ()| {
        Box::pin(async move { tx.opt::<(i64,)>(COUNT, &params![]).await })
    });
    count.await.unwrap().map_or(0, |(count,)| count)
}

#[tokio::test]
async fn whatever_the_order_of_use_replay_and_logout_one_branch_lives_at_most() {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let steps = proptest::collection::vec((0_usize..4, 0_u64..15, proptest::bool::weighted(0.05)), 12);
    let t = TestGate::new().await;
    let mut alice = t.user("alice").registered().await;
    for _ in 0..25 {
        alice.sign_in().await;
        let before = unused_tokens(&t).await - 1;
        let mut known = vec![alice.refresh.clone()];
        for (back, seconds, logout) in steps.new_tree(&mut runner).unwrap().current() {
            t.advance(Duration::from_secs(seconds));
            let token = known[known.len().saturating_sub(1 + back)].clone();
            if logout {
                t.post("/auth/logout").json(&json!({ "refresh_token": token })).send().await;
                continue;
            }
            let reply = alice.present(&token).await;
            if reply.status == 200 {
                let next = reply.str("refresh_token");
                known.retain(|known| *known != next);
                known.push(next);
            }
            assert!(unused_tokens(&t).await - before <= 1, "two branches of one family");
        }
    }
}

#[tokio::test]
async fn idle_and_absolute_limits_both_hold() {
    // S-045
    let day = Duration::from_secs(24 * 60 * 60);
    let t = TestGate::new().await;
    let mut alice = t.user("alice").signed_in().await;
    t.advance(7 * day);
    alice.present(&alice.refresh).await.refused(401, "invalid_refresh_token");
    alice.sign_in().await;
    for _ in 0..4 {
        t.advance(6 * day);
        let reply = alice.present(&alice.refresh).await.expect(200);
        alice.keep(&reply);
    }
    t.advance(6 * day - Duration::from_secs(60));
    let last = alice.present(&alice.refresh).await.expect(200);
    // The access token does not outlive the session for those who check it offline.
    assert_eq!(last.body["expires_in"], 60);
    t.advance(Duration::from_secs(60));
    alice.present(&last.str("refresh_token")).await.refused(401, "invalid_refresh_token");
    t.get("/auth/me").bearer(&last.str("access_token")).send().await.refused(401, "invalid_credential");
}

#[tokio::test]
async fn a_refresh_sees_what_was_taken_away() {
    // S-042
    let t = TestGate::new().await;
    let boss = t.user("boss").role(BuiltinRole::Admin).signed_in().await;
    assert_eq!(t.claims(&boss.access)["roles"], json!(["admin"]));
    t.set_roles(boss.id, &["user"]).await.unwrap();
    let reply = boss.present(&boss.refresh).await.expect(200);
    assert_eq!(t.claims(&reply.str("access_token"))["roles"], json!(["user"]));
    t.disable(boss.id).await;
    boss.present(&reply.str("refresh_token")).await.refused(401, "invalid_refresh_token");
    t.enable(boss.id).await;
    boss.present(&reply.str("refresh_token")).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn another_clients_use_is_refused_and_harms_nobody() {
    // S-043
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let form = format!("refresh_token={}&client_id=other", alice.refresh);
    t.post("/auth/refresh").form(&form).send().await.refused(401, "invalid_refresh_token");
    alice.present(&alice.refresh).await.expect(200);
}

#[tokio::test]
async fn any_change_to_a_token_is_refused() {
    // S-030
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let good = &alice.refresh;
    for index in 0..good.len() {
        let mut cut = good.clone();
        cut.remove(index);
        let mut flipped = good.clone().into_bytes();
        flipped[index] = if flipped[index] == b'x' { b'y' } else { b'x' };
        for wrong in [cut, String::from_utf8(flipped).unwrap(), format!("{good}{}", &good[index..=index])] {
            if wrong != *good {
                alice.present(&wrong).await.refused(401, "invalid_refresh_token");
            }
        }
    }
    alice.present(&alice.access).await.refused(401, "invalid_refresh_token");
    alice.present(good).await.expect(200);
}

#[tokio::test]
async fn a_database_dump_holds_no_usable_token() {
    // S-030, S-131
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let Some(folder) = t.scratch().folder() else { return };
    let secret = alice.refresh.rsplit('_').next().unwrap().as_bytes().to_vec();
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert!(
            !bytes.windows(crate::support::PASSWORD.len()).any(|w| w == crate::support::PASSWORD.as_bytes())
        );
        assert!(!bytes.windows(alice.access.len()).any(|window| window == alice.access.as_bytes()));
    }
}
