//! Users in from other programs' files, and out again.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use wardgate::{
    Account, Action, AuditFilter, Authority, BuiltinRole, Caller, DbOptions, ImportedBatch, Limit,
    PageRequest, Rights, RoleChange, Roles, StoreError, TenantId, TransferFormat, UserChange, UserFilter,
};
use wardgate_store::{Sql, params, sql};

use crate::support::TestGate;

use TransferFormat::{Csv, JsonLines};

/// The password of every hash below.
const FOREIGN_PASSWORD: &str = "corréct hørse 電池";

/// Written by passlib, Django and argon2-cffi, with small costs.
const FOREIGN: [&str; 9] = [
    "$2a$04$KDhzhcGw8sn1ZjWdIQBRwO0CvfKv6n6nxyn2LizfZF25hD9eq3SOa",
    "$2b$04$wBBsgoKEvkT9geGripLew.fgkmOrGFhuMe.dTOmdvWvOQoSwZOXcG",
    "$2y$04$bbNVi.EcHXKFcQGXEBSUQuX5N5JsEk2lXiVT4mDaqE.a75HKCQIx2",
    "bcrypt$$2b$04$PmyGxJxeflf3gaZPSJ2vVejwLdfORWH/3PXyzJJg0KwNDaQnv6/BS",
    "$argon2i$v=19$m=256,t=3,p=2$T2kNwZjTGgOg1Hrv/b+XMg$VRJ+6VBa98mr8yrZ6uYqqMGRQmPEyt1sieUqH0GQ2P8",
    "argon2$argon2id$v=19$m=512,t=2,p=8$dVh3ODFMa1E$wmis3qoemLDchq5bALZM7AUNFgUe1dKQJDr+Fvy1XvU",
    "$pbkdf2-sha256$1200$REhJ6R3D2BvjHIMwRiglBA$fVptrogkjMw9mwH0.FNVGkDM8ijk1VvdyJNn6G7Lodo",
    "pbkdf2_sha256$1500$zK3mQ9$RtpV3Hd8biD/r+4mM1RzKKpdt+iP+tVXm6gMZuuFXgI=",
    "$scrypt$ln=8,r=8,p=2$q3XOea+VUiqF0Lo3hnDO+Q$3qgho9OpJT+bh0odajLr0cVgeVhhPEo0xjuK2OE2hLo",
];

/// Imports `text` whole; made, already there, and each fault as `line field code`.
async fn import(t: &TestGate, format: TransferFormat, text: &str) -> (u64, u64, Vec<String>) {
    run(t, format, text, false).await
}

async fn run(t: &TestGate, format: TransferFormat, text: &str, dry: bool) -> (u64, u64, Vec<String>) {
    let operator = t.gate.operator();
    let begun = t.gate.transfer().import(TenantId::DEFAULT, text.as_bytes(), format, dry, &operator);
    let mut import = begun.unwrap();
    let (mut made, mut there, mut refused, mut faults) = (0, 0, 0, Vec::new());
    while let Some(batch) = import.next_batch().await.unwrap() {
        (made, there, refused) = (made + batch.made, there + batch.already_there, refused + batch.refused);
        faults.extend(batch.faults);
    }
    assert_eq!(import.bytes_read(), text.len() as u64);
    assert!(refused as usize <= faults.len());
    (made, there, faults.iter().map(|f| format!("{} {} {}", f.line, f.field, f.code)).collect())
}

fn line(n: usize) -> String {
    format!("{}\n", json!({ "email": format!("user{n}@example.com"), "password_hash": FOREIGN[1] }))
}

fn lines(count: usize) -> String {
    (0..count).map(line).collect()
}

async fn account(t: &TestGate, email: &str) -> Account {
    let user =
        t.gate.users().find_by_email(TenantId::DEFAULT, email).await.unwrap().expect("the user is there");
    t.gate.accounts().get(TenantId::DEFAULT, user.id).await.unwrap()
}

async fn count(t: &TestGate) -> usize {
    let mut page = PageRequest { limit: PageRequest::MAX_LIMIT, after: None };
    let mut count = 0;
    loop {
        let listed = t.gate.accounts().list(TenantId::DEFAULT, UserFilter::default(), page).await.unwrap();
        count += listed.0.len();
        let Some(next) = listed.1 else { return count };
        page.after = Some(next);
    }
}

async fn stored_scheme(t: &TestGate, email: &str) -> String {
    const SCHEME: Sql = sql!(
        "SELECT p.tenant_id, p.scheme FROM passwords p JOIN users u ON u.tenant_id = p.tenant_id AND u.id = p.user_id \
         WHERE p.tenant_id = $1 AND u.email_normalized = $2"
    );
    let found = t.gate.database().read(TenantId::DEFAULT.into(), email.to_owned(), |tx, email| {
        Box::pin(async move { tx.one::<(String,)>(SCHEME, &params![email]).await })
    });
    found.await.unwrap().0
}

async fn actions(t: &TestGate) -> Vec<String> {
    let events = t.gate.audit().newest(200).await.unwrap();
    let texts = events.iter().map(|event| serde_json::to_string(event).unwrap());
    assert!(
        texts.clone().all(|text| !text.contains("$2") && !text.contains("pbkdf2")),
        "a hash is in the log"
    );
    events.into_iter().map(|event| event.action).collect()
}

async fn log_in(t: &TestGate, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    t.post("/auth/login").json(&body).send().await.status.as_u16()
}

#[tokio::test]
async fn hashes_of_other_programs_sign_in_and_are_replaced() {
    // S-009
    let t = TestGate::new().await;
    let email = |n: usize| format!("user{n}@example.com");
    let file: String = FOREIGN
        .iter()
        .enumerate()
        .map(|(n, hash)| format!("{}\n", json!({ "email": email(n), "password_hash": hash })))
        .collect();
    assert_eq!(import(&t, JsonLines, &file).await, (FOREIGN.len() as u64, 0, vec![]));
    for (n, hash) in FOREIGN.iter().enumerate() {
        let email = email(n);
        let before = stored_scheme(&t, &email).await;
        assert!(!before.starts_with("argon2id:m=19456"), "{hash}");
        assert_eq!(log_in(&t, &email, "not the password").await, 401);
        assert_eq!(stored_scheme(&t, &email).await, before);
        assert_eq!(log_in(&t, &email, FOREIGN_PASSWORD).await, 200, "{hash}");
        assert_eq!(stored_scheme(&t, &email).await, "argon2id:m=19456,t=2,p=1", "{hash}");
        assert_eq!(log_in(&t, &email, FOREIGN_PASSWORD).await, 200);
    }
    let actions = actions(&t).await;
    let count = |action: &str| actions.iter().filter(|known| *known == action).count();
    assert_eq!((count("user.imported"), count("password.rehashed")), (FOREIGN.len(), FOREIGN.len()));
    // What users do meanwhile does not make them strangers to their lines.
    assert_eq!(import(&t, JsonLines, &file).await, (0, FOREIGN.len() as u64, vec![]));
}

#[tokio::test]
async fn every_field_arrives() {
    let t = TestGate::new().await;
    let root = t.user("root").role(BuiltinRole::Superadmin).signed_in().await;
    let role = RoleChange { permissions: Some(vec!["notes:read".to_owned()]), ..RoleChange::default() };
    t.gate.roles().create(TenantId::DEFAULT, "editor", role, &t.gate.operator()).await.unwrap();
    let file = format!(
        "created_at,email,roles,is_active,name,password_hash,email_verified\r\n\
         2020-02-03T04:05:06.789Z,Ada@Example.com,\"editor, user\",true,\"Lovelace, \"\"Ada\"\"\",{hash},t\r\n\
         2021-02-03 04:05:06+01:00,off@example.com,user,false,,{hash},f\r\n\
         ,none@example.com,,,,,\r\n",
        hash = FOREIGN[1]
    );
    assert_eq!(import(&t, Csv, &file).await, (3, 0, vec![]));
    let ada = account(&t, "ada@example.com").await;
    assert_eq!(
        (ada.user.email.as_str(), ada.user.name.as_deref()),
        ("Ada@Example.com", Some("Lovelace, \"Ada\""))
    );
    assert_eq!(ada.user.created_at.to_string(), "2020-02-03T04:05:06.789Z");
    assert_eq!(ada.user.email_verified_at, Some(t.now()));
    assert!(ada.roles.satisfy("editor") && ada.roles.allow("notes:read"));
    let off = account(&t, "off@example.com").await;
    assert_eq!(off.user.created_at.to_string(), "2021-02-03T03:05:06.000Z");
    assert_eq!((off.user.is_active(), off.user.email_verified_at, off.user.name), (false, None, None));
    assert_eq!(log_in(&t, "off@example.com", FOREIGN_PASSWORD).await, 401, "disabled");
    t.enable(off.user.id).await;
    assert_eq!(log_in(&t, "off@example.com", FOREIGN_PASSWORD).await, 200);
    let none = account(&t, "none@example.com").await;
    assert_eq!((none.roles.names(), none.user.created_at), (vec![], t.now()));
    assert_eq!(log_in(&t, "none@example.com", FOREIGN_PASSWORD).await, 401, "no password");
    // The oldest is last, as for any other list.
    let listed = root.get("/admin/users").send().await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().last().unwrap()["email"], "Ada@Example.com");
}

#[tokio::test]
async fn a_line_refused_keeps_none_of_the_others_out() {
    let t = TestGate::new().await;
    t.user("taken").registered().await;
    let file = [
        json!({ "email": "a@example.com" }).to_string(),
        json!({ "email": "TAKEN@example.com" }).to_string(),
        json!({ "email": "b@example.com", "roles": ["user", "nobody"] }).to_string(),
        json!({ "email": "c@example.com", "password": "plain" }).to_string(),
        json!({ "email": "d@example.com", "password_hash": "$2b$31$wBBsgoKEvkT9geGripLew.fgkmOrGFhuMe.dTOmdvWvOQoSwZOXcG" }).to_string(),
        "{".to_owned(),
        json!({ "email": "A@example.com" }).to_string(),
        json!({ "email": "a@example.com", "name": "Another" }).to_string(),
        // PostgreSQL takes no NUL: it must not get so far as to fail the whole batch.
        json!({ "email": "f@example.com", "password_hash": FOREIGN[7].replace("zK3m", "zK\u{0}m") }).to_string(),
        json!({ "email": "e@example.com" }).to_string(),
    ]
    .join("\n");
    let faults = [
        "2 email email_taken",
        "3 roles unknown_role",
        "4  unknown_field",
        "5 password_hash unsupported_hash",
        "6  malformed_json",
        "8 email email_taken",
        "9 password_hash malformed_hash",
    ];
    let dry = run(&t, JsonLines, &file, true).await;
    assert_eq!((dry.0, dry.1), (2, 1));
    assert_eq!(dry.2, faults);
    assert_eq!(count(&t).await, 1, "a dry run makes nothing");
    assert_eq!(import(&t, JsonLines, &file).await, dry);
    assert_eq!(count(&t).await, 3);
    // And again: what was made is there, what was refused is refused.
    let (made, there, again) = import(&t, JsonLines, &file).await;
    assert_eq!((made, there), (0, 3));
    assert_eq!(again, faults);
    assert_eq!(run(&t, JsonLines, &file, true).await, (0, 3, again));
}

#[tokio::test]
async fn already_there_is_whoever_was_made_from_the_same_line() {
    let t = TestGate::new().await;
    let file = line(1);
    assert_eq!(import(&t, JsonLines, &file).await.0, 1);
    let made = account(&t, "user1@example.com").await;
    // Renamed, promoted, disabled: still the same.
    let change = UserChange {
        name: Some(Some("Ada".to_owned())),
        is_active: Some(false),
        roles: Some(vec!["admin".to_owned()]),
    };
    t.change(made.user.id, change).await.unwrap();
    t.advance(std::time::Duration::from_secs(86_400));
    assert_eq!(import(&t, JsonLines, &file).await, (0, 1, vec![]));
    let csv = format!("password_hash,email\n{},User1@Example.com\n", FOREIGN[1]);
    assert_eq!(import(&t, Csv, &csv).await, (0, 1, vec![]), "the format does not matter");
    let other = json!({ "email": "user1@example.com", "password_hash": FOREIGN[0] }).to_string();
    assert_eq!(import(&t, JsonLines, &other).await.2, ["1 email email_taken"]);
    let after = account(&t, "user1@example.com").await;
    assert_eq!((after.user.id, after.roles.names()), (made.user.id, vec!["admin".to_owned()]));
    // Deleted and imported again is another account.
    t.delete(made.user.id).await.unwrap();
    assert_eq!(import(&t, JsonLines, &file).await.0, 1);
    assert_ne!(account(&t, "user1@example.com").await.user.id, made.user.id);
}

#[tokio::test]
async fn an_import_that_was_cut_short_is_gone_on_with() {
    let t = TestGate::new().await;
    let file = lines(1200);
    let begin = || {
        let operator = t.gate.operator();
        t.gate.transfer().import(TenantId::DEFAULT, file.as_bytes(), JsonLines, false, &operator).unwrap()
    };
    let first: ImportedBatch = begin().next_batch().await.unwrap().unwrap();
    assert_eq!((first.made, count(&t).await), (500, 500), "one transaction holds 500");
    assert_eq!(import(&t, JsonLines, &file).await, (700, 500, vec![]));
    assert_eq!(count(&t).await, 1200);
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_make_each_account_once() {
    let t = TestGate::new().await;
    let other = t.beside(|builder| builder).await;
    let file = lines(600);
    let (one, two) = tokio::join!(import(&t, JsonLines, &file), import(&other, JsonLines, &file));
    assert_eq!((one.0 + two.0, one.1 + two.1), (600, 600));
    assert!(one.2.is_empty() && two.2.is_empty());
    assert_eq!(count(&t).await, 600);
}

#[tokio::test]
async fn only_an_operator_imports_and_exports() {
    // S-105
    let t = TestGate::new().await;
    let rights = Rights { roles: Roles::default(), limit: Limit::Nothing };
    let caller = Caller { authority: Authority::Holder(rights), ..t.gate.operator() };
    let transfer = t.gate.transfer();
    assert!(transfer.import(TenantId::DEFAULT, &b""[..], JsonLines, false, &caller).is_err());
    assert!(transfer.export(TenantId::DEFAULT, false, &caller).await.is_err());
}

async fn export(t: &TestGate, with_hashes: bool) -> Vec<Value> {
    let mut export =
        t.gate.transfer().export(TenantId::DEFAULT, with_hashes, &t.gate.operator()).await.unwrap();
    let mut found = Vec::new();
    while let Some(page) = export.next_page().await.unwrap() {
        found.extend(page.iter().map(|user| serde_json::to_value(user).unwrap()));
    }
    found
}

#[tokio::test]
async fn what_is_exported_is_imported_elsewhere() {
    let t = TestGate::new().await;
    assert!(export(&t, false).await.is_empty());
    t.user("off").registered().await;
    t.disable(account(&t, "off@example.com").await.user.id).await;
    assert_eq!(import(&t, JsonLines, &lines(450)).await.0, 450);
    assert!(export(&t, false).await.iter().all(|user| user.get("password_hash").is_none()));
    let exported = export(&t, true).await;
    assert_eq!(exported.len(), 451);
    let elsewhere = TestGate::new().await;
    let file: String = exported.iter().map(|user| format!("{user}\n")).collect();
    assert_eq!(import(&elsewhere, JsonLines, &file).await, (451, 0, vec![]));
    let mut again = export(&elsewhere, true).await;
    let (mut exported, key) = (exported, |user: &Value| user["email"].to_string());
    exported.sort_by_key(key);
    again.sort_by_key(key);
    assert_eq!(exported, again);
    assert_eq!(log_in(&elsewhere, "user449@example.com", FOREIGN_PASSWORD).await, 200);
    let filter = AuditFilter { action: Some(Action::UsersExported), ..AuditFilter::default() };
    let (events, _) = t.gate.audit().list(TenantId::DEFAULT, filter, PageRequest::FIRST).await.unwrap();
    let mut targets: Vec<_> = events.iter().filter_map(|event| event.target.as_deref()).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["users", "users", "users_with_password_hashes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_for_whoever_holds_the_file_and_loses_nothing() {
    let t = TestGate::new().await;
    // Only SQLite has one writer at a time.
    if t.scratch().folder().is_none() {
        return;
    }
    let patience = Duration::from_millis(300);
    let options = DbOptions { patience, ..DbOptions::new(t.scratch().url().parse().unwrap()) };
    let patient = t.beside(|builder| builder.database(options)).await;
    let (holds, held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let holder = t.gate.database().clone();
    let holding = tokio::spawn(async move {
        let held = holder.write(TenantId::DEFAULT.into(), (), move |_, ()| {
            holds.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Box::pin(async { Ok::<_, StoreError>(()) })
        });
        held.await
    });
    held.recv().unwrap();
    let gate = patient.gate.clone();
    let importing = tokio::spawn(async move {
        let (text, operator) = (lines(3), gate.operator());
        let mut import =
            gate.transfer().import(TenantId::DEFAULT, text.as_bytes(), JsonLines, false, &operator).unwrap();
        import.next_batch().await.map(|batch| batch.unwrap().made)
    });
    // A change that waited beside the import is told to come back; the import goes on waiting.
    for _ in 0..2 {
        let beside = patient
            .gate
            .database()
            .write(TenantId::DEFAULT.into(), (), |_, ()| Box::pin(async { Ok::<_, StoreError>(()) }));
        assert_eq!(beside.await, Err(StoreError::Busy));
    }
    assert!(!importing.is_finished());
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    assert_eq!(importing.await.unwrap().unwrap(), 3);
}
