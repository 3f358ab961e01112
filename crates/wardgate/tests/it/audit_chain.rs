//! The chain of the audit log: who changes the past is found out, and by name.

use std::time::Duration;

use uuid::Uuid;
use wardgate::{AuditCheck, AuditFilter, BrokenRecord, ChainFault, TenantId, Timestamp};
use wardgate_store::{GlobalSql, Sql, StoreError, global_sql, params, sql};

use crate::support::TestGate;

const TENANT: TenantId = TenantId::DEFAULT;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const INSERT: Sql = sql!(
    "INSERT INTO audit_events (tenant_id, id, at, actor, action, target, outcome, source, user_agent, request_id) \
     VALUES ($1, $2, $3, 'anonymous', 'session.signed_in', 'identifier:1', 'refused', '192.0.2.1', 'curl', 'req_1')"
);

/// Commits records with these numbers in their ids, made at these times.
async fn commit(t: &TestGate, records: impl Iterator<Item = (u128, Timestamp)>) {
    let records: Vec<_> = records.collect();
    for part in records.chunks(400) {
        let tenant = wardgate_store::TenantKey(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
        let body = t.gate.database().write(tenant, part.to_vec(), |tx, part| {
            Box::pin(async move {
                for (number, at) in part {
                    tx.exec(INSERT, &params![Uuid::from_u128(*number), at.as_millis()]).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        body.await.unwrap();
    }
}

/// A gate whose log is nothing but `count` sealed records, numbered from 1.
async fn sealed(count: u128) -> TestGate {
    let t = TestGate::new().await;
    alter(&t, global_sql!("DELETE FROM audit_events WHERE at <> $1"), 0).await;
    commit(&t, (1..=count).map(|number| (number, t.now()))).await;
    assert_eq!(u128::from(t.gate.audit().seal(TENANT).await.unwrap()), count);
    assert_eq!(check(&t).await.broken, None);
    t
}

/// What somebody does who can write to the database, and nothing else.
async fn alter(t: &TestGate, statement: GlobalSql, parameter: i64) {
    let body = t.gate.database().write_global((statement, parameter), |tx, (statement, parameter)| {
        Box::pin(async move { tx.exec(*statement, &params![*parameter]).await })
    });
    assert!(body.await.unwrap() > 0, "{}", statement.text());
}

async fn check(t: &TestGate) -> AuditCheck {
    t.gate.audit().verify(TENANT, |_, _| {}).await.unwrap()
}

/// The number and the fault of the first broken record.
async fn broken(t: &TestGate) -> Option<(Option<i64>, ChainFault)> {
    check(t).await.broken.map(|BrokenRecord { seq, fault, .. }| (seq, fault))
}

#[tokio::test]
async fn what_happens_is_sealed_and_holds() {
    let t = TestGate::new().await;
    t.user("alice").signed_in().await;
    let records = t.gate.audit().newest(200).await.unwrap().len() as u64;
    let before = check(&t).await;
    assert_eq!((before.records, before.last, before.broken), (0, 0, None));
    t.gate.tend().await.unwrap();
    let after = check(&t).await;
    assert_eq!((after.records, after.last.unsigned_abs(), after.broken), (records, records, None));
    assert_eq!(t.gate.audit().seal(TENANT).await.unwrap(), 0);
    // Another node goes on with the same chain.
    let other = t.beside(|builder| builder).await;
    t.user("bob").registered().await;
    assert_eq!(other.gate.audit().seal(TENANT).await.unwrap(), 1);
    assert_eq!((check(&t).await.records, check(&other).await.broken), (records + 1, None));
}

#[tokio::test]
async fn an_edited_record_is_named() {
    // S-133
    for statement in [
        global_sql!("UPDATE audit_events SET at = at - 1 WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET actor = 'system' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET action = 'user.deleted' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET target = NULL WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET target = '' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET outcome = 'success' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET request_id = 'req_2' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET count = 2 WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET source = '192.0.2.2' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET source = NULL WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET user_agent = 'wget' WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET user_agent = NULL WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET mac = NULL WHERE seq = $1"),
        global_sql!("UPDATE audit_events SET personal_digest = NULL WHERE seq = $1"),
    ] {
        let t = sealed(9).await;
        alter(&t, statement, 5).await;
        let found = check(&t).await;
        let record = found.broken.unwrap();
        assert_eq!((record.seq, record.fault), (Some(5), ChainFault::Changed), "{}", statement.text());
        assert_eq!(record.id.unwrap().to_string(), format!("aud_{:032x}", 5));
        assert_eq!((found.records, found.last), (4, 4));
    }
}

#[tokio::test]
async fn a_deleted_a_moved_and_a_doubled_record_are_named() {
    // S-133
    for (statement, parameter, expected) in [
        (global_sql!("DELETE FROM audit_events WHERE seq = $1"), 5, (5, ChainFault::Missing)),
        (global_sql!("DELETE FROM audit_events WHERE seq = $1"), 1, (1, ChainFault::Missing)),
        // Two records change places, with and without their numbers closing up.
        (
            global_sql!("UPDATE audit_events SET seq = $1 - seq WHERE seq IN (5, 6)"),
            11,
            (5, ChainFault::Changed),
        ),
        (global_sql!("UPDATE audit_events SET seq = seq + $1 WHERE seq = 5"), 100, (5, ChainFault::Missing)),
        (global_sql!("UPDATE audit_events SET seq = $1 WHERE seq = 6"), 5, (5, ChainFault::Foreign)),
        // Unlinked, so that the sealer would link it again.
        (global_sql!("UPDATE audit_events SET seq = NULL WHERE seq = $1"), 5, (5, ChainFault::Missing)),
        // Where no number is given out.
        (global_sql!("UPDATE audit_events SET seq = seq - $1 WHERE seq = 9"), 9, (0, ChainFault::Foreign)),
        (global_sql!("UPDATE audit_events SET seq = seq - $1 WHERE seq = 9"), 99, (-90, ChainFault::Foreign)),
    ] {
        let t = sealed(9).await;
        alter(&t, statement, parameter).await;
        let (seq, fault) = expected;
        let found = broken(&t).await;
        assert_eq!(found, Some((Some(seq), fault)), "{}", statement.text());
        // What is sealed afterwards covers nothing up.
        commit(&t, [(100, t.now())].into_iter()).await;
        t.gate.audit().seal(TENANT).await.unwrap();
        assert_eq!(broken(&t).await, found, "{}", statement.text());
    }
}

#[tokio::test]
async fn a_cut_end_is_named_whatever_is_done_to_the_signed_end() {
    // S-133
    let t = sealed(9).await;
    alter(&t, global_sql!("DELETE FROM audit_events WHERE seq > $1"), 7).await;
    assert_eq!(broken(&t).await, Some((Some(8), ChainFault::Missing)));
    // The end is moved along, without the key.
    alter(
        &t,
        global_sql!("UPDATE audit_heads SET seq = $1, mac = (SELECT mac FROM audit_events WHERE seq = 7)"),
        7,
    )
    .await;
    assert_eq!(broken(&t).await, Some((Some(7), ChainFault::Head)));
    alter(&t, global_sql!("DELETE FROM audit_heads WHERE seq = $1"), 7).await;
    assert_eq!(broken(&t).await, Some((Some(7), ChainFault::Head)));
    // A chain whose end is not ours is not gone on with, which would make it ours again.
    commit(&t, [(100, t.now())].into_iter()).await;
    assert!(t.gate.audit().seal(TENANT).await.is_err());
    assert!(t.gate.tend().await.is_err());
    assert_eq!(broken(&t).await, Some((Some(7), ChainFault::Head)));
}

#[tokio::test]
async fn an_older_end_that_is_put_back_is_noticed() {
    let t = sealed(5).await;
    alter(&t, global_sql!("INSERT INTO audit_heads SELECT tenant_id, 'kept', seq, mac, at, signature FROM audit_heads WHERE seq = $1"), 5).await;
    commit(&t, (6..=9).map(|number| (number, t.now()))).await;
    t.gate.audit().seal(TENANT).await.unwrap();
    assert_eq!(broken(&t).await, None);
    alter(&t, global_sql!("DELETE FROM audit_heads WHERE kind = 'head' AND seq > $1"), 0).await;
    alter(&t, global_sql!("UPDATE audit_heads SET kind = 'head' WHERE seq = $1"), 5).await;
    assert_eq!(broken(&t).await, Some((Some(5), ChainFault::Head)));
}

#[tokio::test]
async fn a_record_that_waits_too_long_is_named() {
    let t = sealed(3).await;
    commit(&t, [(9, t.now())].into_iter()).await;
    t.advance(Duration::from_secs(60));
    assert_eq!(broken(&t).await, None);
    t.tick();
    let record = check(&t).await.broken.unwrap();
    assert_eq!(
        (record.fault, record.id.unwrap().to_string()),
        (ChainFault::Unsealed, format!("aud_{:032x}", 9))
    );
    t.gate.tend().await.unwrap();
    assert_eq!(broken(&t).await, None);
}

#[tokio::test]
async fn a_record_committed_late_stands_behind_those_sealed_before() {
    let t = sealed(3).await;
    commit(&t, [(50, t.now().minus(DAY)), (51, t.now().minus(DAY))].into_iter()).await;
    t.gate.tend().await.unwrap();
    let found = check(&t).await;
    assert_eq!((found.records, found.broken), (5, None));
    let ids: Vec<_> = exported(&t, AuditFilter::default()).await;
    assert_eq!(ids, [1, 2, 3, 50, 51]);
}

#[tokio::test]
async fn erasing_who_it_was_keeps_the_chain() {
    let t = sealed(9).await;
    alter(&t, global_sql!("UPDATE audit_events SET source = NULL, user_agent = NULL WHERE seq > $1"), 6)
        .await;
    let found = check(&t).await;
    assert_eq!((found.records, found.erased, found.broken), (9, 3, None));
}

#[tokio::test]
async fn many_pages_hold_and_a_fault_at_their_border_is_found() {
    let t = sealed(1203).await;
    let mut reached = Vec::new();
    let found = t.gate.audit().verify(TENANT, |at, end| reached.push((at, end))).await.unwrap();
    assert_eq!((found.records, found.broken), (1203, None));
    assert_eq!(reached, [(501, 1203), (1001, 1203), (1203, 1203)]);
    let copy = global_sql!(
        "INSERT INTO audit_events (tenant_id, id, at, actor, action, outcome, request_id, seq, mac, personal_digest) \
         SELECT tenant_id, tenant_id, at + 1, actor, action, outcome, request_id, seq, mac, personal_digest \
         FROM audit_events WHERE seq = $1"
    );
    alter(&t, copy, 501).await;
    assert_eq!(broken(&t).await, Some((Some(501), ChainFault::Foreign)));
    let other = sealed(1203).await;
    alter(&other, global_sql!("DELETE FROM audit_events WHERE seq = $1"), 502).await;
    assert_eq!(broken(&other).await, Some((Some(502), ChainFault::Missing)));
}

#[tokio::test]
async fn retention_removes_the_beginning_and_leaves_a_signed_place() {
    let t = sealed(1203).await;
    let keeping = t.beside(|builder| builder.audit_retention(30 * DAY)).await.gate;
    t.advance(20 * DAY);
    commit(&t, (2000..2010).map(|number| (number, t.now()))).await;
    keeping.maintain().await.unwrap();
    assert_eq!(check(&t).await.removed_to, 0, "nothing is so old");
    t.advance(10 * DAY);
    keeping.maintain().await.unwrap();
    assert_eq!(check(&t).await.removed_to, 0, "not older than that");
    t.tick();
    keeping.maintain().await.unwrap();
    let found = check(&t).await;
    assert_eq!((found.removed_to, found.last, found.records), (1203, 1203, 0));
    // What is not sealed yet is never removed, however old.
    t.advance(40 * DAY);
    keeping.maintain().await.unwrap();
    assert_eq!(exported(&t, AuditFilter::default()).await.len(), 10);
    let found = check(&t).await;
    assert_eq!((found.removed_to, found.last, found.records, found.broken), (1203, 1213, 10, None));
    // The place cannot be moved to hide more.
    alter(&t, global_sql!("DELETE FROM audit_events WHERE seq <= $1"), 1206).await;
    assert_eq!(broken(&t).await, Some((Some(1204), ChainFault::Missing)));
    alter(&t, global_sql!("UPDATE audit_heads SET seq = $1 WHERE kind = 'start'"), 1206).await;
    assert_eq!(broken(&t).await, Some((Some(1206), ChainFault::Start)));
    assert!(keeping.maintain().await.is_err(), "nor gone on with");
}

#[tokio::test]
async fn a_forged_time_does_not_make_retention_remove_what_it_proves() {
    let t = sealed(9).await;
    let keeping = t.beside(|builder| builder.audit_retention(30 * DAY)).await.gate;
    alter(&t, global_sql!("UPDATE audit_events SET at = $1"), 0).await;
    assert!(keeping.maintain().await.is_err());
    assert_eq!(exported(&t, AuditFilter::default()).await.len(), 9);
    assert_eq!(broken(&t).await, Some((Some(1), ChainFault::Changed)));
}

/// The numbers of what an export gives.
async fn exported(t: &TestGate, filter: AuditFilter) -> Vec<u128> {
    let mut export = t.gate.audit().export(TENANT, filter).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = export.next_page().await.unwrap() {
        ids.extend(page.iter().map(|event| {
            let id = event.id.to_string();
            u128::from_str_radix(id.strip_prefix("aud_").unwrap(), 16).unwrap()
        }));
    }
    ids
}

#[tokio::test]
async fn an_export_has_what_was_there_when_it_began_and_nothing_twice() {
    let t = sealed(1203).await;
    commit(&t, [(2000, t.now())].into_iter()).await;
    let mut export = t.gate.audit().export(TENANT, AuditFilter::default()).await.unwrap();
    let mut count = export.next_page().await.unwrap().unwrap().len();
    assert_eq!(count, 500);
    commit(&t, (3000..3600).map(|number| (number, t.now()))).await;
    t.gate.tend().await.unwrap();
    while let Some(page) = export.next_page().await.unwrap() {
        count += page.len();
    }
    assert_eq!(count, 1204, "what came later is another export's");
    let all = exported(&t, AuditFilter::default()).await;
    assert_eq!(all, (1..=1203).chain([2000]).chain(3000..3600).collect::<Vec<_>>());
    let filter = AuditFilter { from: Some(t.now()), to: Some(t.now()), ..AuditFilter::default() };
    assert_eq!(exported(&t, filter).await, [0; 0]);
    let filter = AuditFilter { actor: Some("system".to_owned()), ..AuditFilter::default() };
    assert_eq!(exported(&t, filter).await, [0; 0]);
}

#[tokio::test]
async fn a_broken_chain_is_exported_all_the_same() {
    let t = sealed(9).await;
    commit(&t, (10..12).map(|number| (number, t.now()))).await;
    alter(&t, global_sql!("DELETE FROM audit_heads WHERE seq = $1"), 9).await;
    assert_eq!(exported(&t, AuditFilter::default()).await, (1..12).collect::<Vec<_>>());
}
