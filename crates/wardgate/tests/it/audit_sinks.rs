//! What sinks are given: everything that was committed, in order, at least once, whatever fails in between.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{
    AuditEvent, AuditFilter, Builder, BuiltinRole, Delivery, EventSink, FileSink, SinkError, TenantId,
    Timestamp,
};

use crate::support::{PASSWORD, TestGate};

/// Keeps what it was given, and fails when it is told to.
#[derive(Default)]
struct Memory {
    taken: Mutex<Vec<AuditEvent>>,
    attempts: Mutex<u32>,
    fails: Mutex<bool>,
    small: bool,
}

impl Memory {
    fn ids(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|event| event.id.to_string()).collect()
    }

    fn attempts(&self) -> u32 {
        *self.attempts.lock().unwrap()
    }

    fn fail(&self, fails: bool) {
        *self.fails.lock().unwrap() = fails;
    }
}

impl EventSink for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn batch(&self) -> u32 {
        if self.small { 2 } else { 100 }
    }

    fn deliver<'a>(&'a self, records: &'a [AuditEvent], _: Timestamp) -> Delivery<'a> {
        Box::pin(async move {
            *self.attempts.lock().unwrap() += 1;
            if *self.fails.lock().unwrap() {
                return Err(SinkError::new("it was told to fail"));
            }
            self.taken.lock().unwrap().extend_from_slice(records);
            Ok(())
        })
    }
}

/// Seals and feeds, as a gate does each second.
async fn round(t: &TestGate) {
    t.gate.tend().await.unwrap();
    t.gate.feed_sinks().await.unwrap();
}

/// The ids of the whole log, in the order of the chain.
async fn log(t: &TestGate) -> Vec<String> {
    let mut export = t.gate.audit().export(TenantId::DEFAULT, AuditFilter::default()).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = export.next_page().await.unwrap() {
        ids.extend(page.iter().map(|event| event.id.to_string()));
    }
    ids
}

fn with(sink: &Arc<Memory>) -> impl FnOnce(Builder) -> Builder {
    let sink = Arc::clone(sink) as Arc<dyn EventSink>;
    |builder| builder.audit_sink(sink)
}

#[tokio::test]
async fn a_sink_gets_all_records_once_and_in_order() {
    let sink = Arc::new(Memory { small: true, ..Memory::default() });
    let t = TestGate::with(with(&sink)).await;
    t.user("alice").signed_in().await;
    t.user("bob").signed_in().await;
    assert_eq!(sink.ids(), [""; 0], "nothing before it is sealed");
    round(&t).await;
    assert!(sink.ids().len() > 4);
    assert_eq!(sink.ids(), log(&t).await);
    let attempts = sink.attempts();
    round(&t).await;
    assert_eq!(sink.attempts(), attempts, "nothing new is no batch");
    t.user("carol").signed_in().await;
    round(&t).await;
    assert_eq!(sink.ids(), log(&t).await);
}

#[tokio::test]
async fn a_sink_that_fails_is_left_alone_for_longer_and_longer_and_loses_nothing() {
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(with(&sink)).await;
    sink.fail(true);
    t.user("alice").signed_in().await;
    for (attempt, pause) in [1, 2, 4, 8].into_iter().enumerate() {
        round(&t).await;
        assert_eq!(sink.attempts() as usize, attempt + 1);
        t.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        round(&t).await;
        assert_eq!(sink.attempts() as usize, attempt + 1, "not within {pause} s");
        t.advance(Duration::from_millis(1));
    }
    t.user("bob").registered().await;
    sink.fail(false);
    round(&t).await;
    assert_eq!(sink.ids(), log(&t).await);
    // And the pauses begin anew.
    sink.fail(true);
    let attempts = sink.attempts();
    t.user("carol").registered().await;
    round(&t).await;
    t.advance(Duration::from_secs(1));
    round(&t).await;
    assert_eq!(sink.attempts(), attempts + 2);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_does_not_stop_a_sink() {
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(with(&sink)).await;
    t.user("alice").signed_in().await;
    t.gate.tend().await.unwrap();
    let (ahead, start) = (t.beside(with(&sink)).await, t.now());
    ahead.advance(Duration::from_secs(365 * 24 * 60 * 60));
    sink.fail(true);
    ahead.gate.feed_sinks().await.unwrap();
    let late = wardgate::ManualClock::at(start);
    let put_right = t.beside(|builder| with(&sink)(builder).clock(Arc::new(late))).await;
    sink.fail(false);
    put_right.gate.feed_sinks().await.unwrap();
    assert_eq!(sink.ids(), log(&t).await);
}

#[tokio::test]
async fn a_restart_goes_on_where_the_sink_was() {
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(with(&sink)).await;
    t.user("alice").signed_in().await;
    round(&t).await;
    let before = sink.ids().len();
    t.user("bob").registered().await;
    t.gate.tend().await.unwrap();
    let again = t.beside(with(&sink)).await;
    round(&again).await;
    assert_eq!(sink.ids().len(), before + 1);
    assert_eq!(sink.ids(), log(&again).await);
}

#[tokio::test]
async fn what_a_node_had_in_hand_when_it_died_comes_again() {
    // Delivered, and gone before it could say so.
    struct Dies(Arc<Memory>);
    impl EventSink for Dies {
        fn name(&self) -> &str {
            "memory"
        }
        fn deliver<'a>(&'a self, records: &'a [AuditEvent], now: Timestamp) -> Delivery<'a> {
            Box::pin(async move {
                self.0.deliver(records, now).await?;
                std::future::pending().await
            })
        }
    }
    let sink = Arc::new(Memory::default());
    let dying = Arc::new(Dies(Arc::clone(&sink)));
    let t = TestGate::with(|builder| builder.audit_sink(dying)).await;
    t.user("alice").signed_in().await;
    t.gate.tend().await.unwrap();
    tokio::select! {
        _ = t.gate.feed_sinks() => panic!("it never ends"),
        () = async { while sink.attempts() == 0 { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    let other = t.beside(with(&sink)).await;
    round(&other).await;
    assert_eq!(sink.attempts(), 1, "the other node might still be at it");
    t.advance(Duration::from_secs(15));
    round(&other).await;
    assert_eq!(sink.attempts(), 2);
    let (ids, log) = (sink.ids(), log(&other).await);
    assert_eq!(ids, [&log[..], &log[..]].concat(), "twice is at least once");
}

#[tokio::test]
async fn of_two_nodes_one_delivers() {
    let sink = Arc::new(Memory { small: true, ..Memory::default() });
    let t = TestGate::with(with(&sink)).await;
    let other = t.beside(with(&sink)).await;
    for name in ["a", "b", "c", "d"] {
        t.user(name).signed_in().await;
    }
    t.gate.tend().await.unwrap();
    for _ in 0..10 {
        let (first, second) = tokio::join!(t.gate.feed_sinks(), other.gate.feed_sinks());
        first.and(second).unwrap();
    }
    assert_eq!(sink.ids(), log(&t).await);
}

#[tokio::test]
async fn a_forged_number_does_not_carry_a_sink_past_what_comes() {
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(with(&sink)).await;
    t.user("alice").signed_in().await;
    round(&t).await;
    let forged = wardgate_store::global_sql!(
        "INSERT INTO audit_events (tenant_id, id, at, actor, action, outcome, request_id, seq) \
         SELECT tenant_id, tenant_id, at, actor, action, outcome, request_id, $1 FROM audit_events WHERE seq = 1"
    );
    let body = t.gate.database().write_global(forged, |tx, forged| {
        Box::pin(async move { tx.exec(*forged, &wardgate_store::params![1_000_000_i64]).await })
    });
    assert_eq!(body.await.unwrap(), 1);
    round(&t).await;
    let before = sink.ids().len();
    t.user("bob").registered().await;
    round(&t).await;
    assert_eq!(sink.ids().len(), before + 1, "what is real, and only that");
}

fn lines(path: &Path) -> Vec<Result<Value, serde_json::Error>> {
    std::fs::read_to_string(path).unwrap().lines().map(serde_json::from_str).collect()
}

fn to_file(path: &Path) -> impl FnOnce(Builder) -> Builder {
    let sink = Arc::new(FileSink::open(path).unwrap());
    |builder| builder.audit_sink(sink)
}

#[tokio::test]
async fn a_file_gets_a_line_for_each_record_is_private_and_may_be_rotated() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let t = TestGate::with(to_file(&path)).await;
    t.user("alice").signed_in().await;
    round(&t).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let ids: Vec<_> =
        lines(&path).into_iter().map(|line| line.unwrap()["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, log(&t).await);
    let event = t.gate.audit().newest(1).await.unwrap().remove(0);
    assert_eq!(lines(&path).pop().unwrap().unwrap(), serde_json::to_value(&event).unwrap());
    // Renamed under a running server, which is then started anew.
    std::fs::rename(&path, folder.path().join("audit.1")).unwrap();
    let again = t.beside(to_file(&path)).await;
    t.user("bob").registered().await;
    round(&again).await;
    assert_eq!(lines(&path).len(), 1);
    // The machine stopped in the middle of a line.
    let mut cut = std::fs::read(&path).unwrap();
    cut.truncate(20);
    std::fs::write(&path, cut).unwrap();
    t.user("carol").registered().await;
    round(&again).await;
    let found = lines(&path);
    assert!(found.len() == 2 && found[0].is_err() && found[1].is_ok(), "{found:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_the_rest_running() {
    let folder = tempfile::tempdir().unwrap();
    assert!(FileSink::open(folder.path()).is_err());
    assert!(FileSink::open(folder.path().join("no/such/folder")).is_err());
    assert!(FileSink::open("/dev/null").is_err(), "what is kept nowhere is not delivered");
    let path = folder.path().join("logs/audit.jsonl");
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(|builder| with(&sink)(to_file(&path)(builder))).await;
    std::fs::rename(folder.path().join("logs"), folder.path().join("moved")).unwrap();
    t.user("alice").signed_in().await;
    round(&t).await;
    assert_eq!(sink.ids(), log(&t).await);
    std::fs::rename(folder.path().join("moved"), folder.path().join("logs")).unwrap();
    t.advance(Duration::from_secs(1));
    round(&t).await;
    assert_eq!(lines(&path).len(), log(&t).await.len());
}

#[tokio::test]
async fn two_sinks_of_one_name_are_refused() {
    let sink = Arc::new(Memory::default());
    let twice = TestGate::try_settings(|builder| with(&sink)(with(&sink)(builder))).await;
    assert!(twice.err().unwrap().to_string().contains("memory"));
}

#[tokio::test]
async fn every_tenants_records_come_under_its_name_and_a_broken_chain_stops_nobody_elses() {
    // S-103
    let sink = Arc::new(Memory::default());
    let t = TestGate::with(with(&sink)).await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let mut ids = Vec::new();
    for slug in ["acme", "zeta"] {
        let body = json!({ "slug": slug, "name": slug });
        ids.push(root.post("/admin/tenants").json(&body).send().await.expect(201).str("id"));
        let body = json!({ "email": "a@example.com", "password": PASSWORD });
        t.post(&format!("/t/{slug}/auth/register")).json(&body).send().await.expect(201);
    }
    round(&t).await;
    let named = |slug: &str| sink.taken.lock().unwrap().iter().filter(|event| event.tenant == slug).count();
    let (acme, zeta) = (named("acme"), named("zeta"));
    assert!(acme > 0 && acme == zeta && named("default") > acme);
    assert_eq!(sink.ids().len(), acme + zeta + named("default"));
    // Somebody forges the end of the first tenant's chain.
    let forge = wardgate_store::global_sql!("UPDATE audit_heads SET at = at + 1 WHERE tenant_id = $1");
    let first: TenantId = ids[0].parse().unwrap();
    let body = t.gate.database().write_global((forge, first), |tx, (forge, first)| {
        Box::pin(async move { tx.exec(*forge, &wardgate_store::params![*first]).await })
    });
    assert_eq!(body.await.unwrap(), 1);
    for slug in ["acme", "zeta"] {
        let body = json!({ "email": "b@example.com", "password": PASSWORD });
        t.post(&format!("/t/{slug}/auth/register")).json(&body).send().await.expect(201);
    }
    t.user("bob").registered().await;
    let before = named("default");
    assert!(t.gate.tend().await.is_err(), "it is told");
    let _ = t.gate.feed_sinks().await;
    assert_eq!((named("acme"), named("zeta"), named("default")), (acme, zeta + 1, before + 1));
    // A tenant that goes takes its place with it.
    let path = format!("/admin/tenants/{}", ids[1]);
    root.request("DELETE", &path).send().await.expect(204);
    let left = wardgate_store::global_sql!("SELECT tenant_id FROM audit_sinks");
    let body = t.gate.database().read_global(left, |tx, left| {
        Box::pin(async move { tx.all::<(TenantId,)>(*left, &wardgate_store::params![]).await })
    });
    assert_eq!(body.await.unwrap().len(), 2);
}
