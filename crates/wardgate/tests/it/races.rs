//! Two requests that meet in the worst order, arranged rather than hoped for: a transaction of the test holds a row
//! that one of them needs last, until the other is done or waits as well.
//!
//! On SQLite there is one writer, so none of these orders can come about; each test then only asks for the outcome.

use std::future::Future;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use wardgate::{Actor, TenantId, UserChange};

use crate::support::{PASSWORD, Persona, Reply, TestGate};

/// A transaction of the test's own beside the gate's, and a second connection that watches who waits; on SQLite
/// neither.
struct Holder(Option<(Client, Client)>);

impl Holder {
    /// Holds what `statement` locks until [`release`](Self::release).
    async fn of(t: &TestGate, statement: &str) -> Self {
        let url = t.scratch().url();
        if !url.starts_with("postgres") {
            return Self(None);
        }
        let (client, watch) = (connect(url).await, connect(url).await);
        client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
        Self(Some((client, watch)))
    }

    /// Comes back when `count` of the gate's transactions wait for a lock, or when `task` is done: with the guard
    /// under test taken out it does not wait.
    async fn until_waiting<T>(&self, count: i64, task: &JoinHandle<T>) {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let Some((_, watch)) = &self.0 else { return };
        while !task.is_finished() {
            let waiting: i64 = watch.query_one(WAITING, &[]).await.unwrap().get(0);
            if waiting >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn release(self) {
        if let Some((client, _)) = self.0 {
            client.batch_execute("COMMIT").await.unwrap();
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET wardgate.tenant = 'all'").await.unwrap();
    client
}

/// Every record of the audit log needs the tenant's row to stay: whoever holds it stops a transaction at its record,
/// which a sign-in writes after its session.
const TENANT_ROW: &str = "SELECT id FROM tenants FOR UPDATE";

/// A sign-in that has read the account and written its session meets `change`, which ends all sessions it can see.
async fn sign_in_meets<F>(t: &TestGate, alice: &Persona<'_>, change: F) -> Reply
where
    F: Future<Output = ()> + Send + 'static,
{
    let holder = Holder::of(t, TENANT_ROW).await;
    let login = json!({ "email": alice.email, "password": PASSWORD });
    let sign_in = tokio::spawn(t.post("/auth/login").json(&login).send());
    holder.until_waiting(1, &sign_in).await;
    let change = tokio::spawn(change);
    holder.until_waiting(2, &change).await;
    holder.release().await;
    change.await.unwrap();
    sign_in.await.unwrap()
}

async fn expect_dead(t: &TestGate, reply: Reply) {
    if reply.status == 200 {
        let token = reply.str("access_token");
        t.get("/auth/me").bearer(&token).send().await.refused(401, "invalid_credential");
    } else {
        reply.refused(401, "incorrect_credentials");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_in_flight_does_not_outlive_a_password_change() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let user = t.gate.users().get(TenantId::DEFAULT, alice.id).await.unwrap();
    let gate = t.gate.clone();
    let reply = sign_in_meets(&t, &alice, async move {
        let (source, new) = (gate.own_source(), "an entirely new sentence");
        gate.passwords().set(TenantId::DEFAULT, &user, new, Actor::CommandLine, &source).await.unwrap();
    });
    expect_dead(&t, reply.await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_in_flight_does_not_come_back_when_a_disabled_user_is_enabled() {
    let t = TestGate::new().await;
    let alice = t.user("alice").registered().await;
    let (gate, id) = (t.gate.clone(), alice.id);
    let reply = sign_in_meets(&t, &alice, async move {
        let off = UserChange { is_active: Some(false), ..UserChange::default() };
        gate.lifecycle().update(TenantId::DEFAULT, id, off, &gate.operator()).await.unwrap();
    })
    .await;
    t.enable(id).await;
    expect_dead(&t, reply).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_beside_the_end_of_its_session_gives_nothing() {
    // S-042
    let t = TestGate::new().await;
    let alice = t.user("alice").signed_in().await;
    let end = "UPDATE sessions SET ended_at = 1, end_reason = 'signed_out'";
    let holder = Holder::of(&t, end).await;
    if holder.0.is_none() {
        return;
    }
    // It reads a session that lives, and waits for the end that is not committed yet.
    let body = json!({ "refresh_token": alice.refresh });
    let refresh = tokio::spawn(t.post("/auth/refresh").json(&body).send());
    holder.until_waiting(1, &refresh).await;
    holder.release().await;
    refresh.await.unwrap().refused(401, "invalid_refresh_token");
}
