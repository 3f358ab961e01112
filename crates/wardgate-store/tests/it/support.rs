//! A small schema, two tenants, and the engines to run on.

use std::{
    env,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Mutex, mpsc},
    task::Poll,
};

use wardgate_store::{
    Db, DbOptions, Dialect, Durability, Migration, Sql, StoreError, TenantKey, Tx, params, sql,
    testing::{POSTGRES_VARIABLE, Scratch},
};

pub(crate) const A: TenantKey = TenantKey(uuid::Uuid::from_u128(0xA));
pub(crate) const B: TenantKey = TenantKey(uuid::Uuid::from_u128(0xB));

pub(crate) const NOTES: Migration = Migration {
    version: 1,
    name: "notes",
    sql: "CREATE TABLE notes (
        tenant_id {id} NOT NULL,
        name TEXT NOT NULL,
        number BIGINT NOT NULL DEFAULT 0,
        secret {bytes},
        owner {id},
        seen_at {time},
        CONSTRAINT pk_notes__name PRIMARY KEY (tenant_id, name),
        CONSTRAINT uq_notes__owner__number UNIQUE (tenant_id, owner, number),
        CONSTRAINT ck_notes__number CHECK (number >= 0)
    );
    CREATE INDEX ix_notes__seen_at ON notes (tenant_id, seen_at);",
};

pub(crate) const LINKS: Migration = Migration {
    version: 2,
    name: "links",
    sql: "CREATE TABLE links (
        tenant_id {id} NOT NULL,
        id BIGINT NOT NULL,
        note TEXT NOT NULL,
        CONSTRAINT pk_links__id PRIMARY KEY (tenant_id, id),
        CONSTRAINT fk_links__note FOREIGN KEY (tenant_id, note) REFERENCES notes (tenant_id, name) ON DELETE CASCADE
    );
    CREATE UNIQUE INDEX uq_links__note ON links (tenant_id, note) WHERE id > 100;",
};

pub(crate) const SCHEMA: &[Migration] = &[NOTES, LINKS];

pub(crate) const ADD: Sql = sql!("INSERT INTO notes (tenant_id, name, number) VALUES ($1, $2, $3)");
pub(crate) const SET: Sql = sql!("UPDATE notes SET number = $3 WHERE tenant_id = $1 AND name = $2");
pub(crate) const NUMBER: Sql = sql!("SELECT tenant_id, number FROM notes WHERE tenant_id = $1 AND name = $2");
pub(crate) const NAMES: Sql = sql!("SELECT tenant_id, name FROM notes WHERE tenant_id = $1 ORDER BY name");

pub(crate) async fn add(tx: &mut Tx, name: &str, number: i64) -> Result<(), StoreError> {
    tx.exec(ADD, &params![name, number]).await.map(|_| ())
}

pub(crate) async fn number(db: &Db, tenant: TenantKey, name: &str) -> Option<i64> {
    let found = db.lookup(tenant, name.to_owned(), |tx, name| {
        Box::pin(async move { tx.opt::<(i64,)>(NUMBER, &params![name]).await })
    });
    found.await.unwrap().map(|(number,)| number)
}

pub(crate) async fn names(db: &Db, tenant: TenantKey) -> Vec<String> {
    let found = db.lookup(tenant, (), |tx, ()| Box::pin(tx_names(tx)));
    found.await.unwrap()
}

async fn tx_names(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = tx.all(NAMES, &params![]).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

pub(crate) async fn add_note(
    db: &Db,
    tenant: TenantKey,
    name: impl Into<String>,
    number: i64,
) -> Result<(), StoreError> {
    db.write(tenant, (name.into(), number), |tx, (name, number)| Box::pin(add(tx, name, *number))).await
}

/// A database for each engine that is at hand.
pub(crate) async fn engines() -> Vec<Scratch> {
    let mut scratches = vec![Scratch::sqlite(SCHEMA).await.unwrap()];
    scratches.extend(on_postgres().await);
    scratches
}

pub(crate) async fn on_postgres() -> Option<Scratch> {
    let base_url = env::var(POSTGRES_VARIABLE).ok()?;
    Some(Scratch::postgres(&base_url, SCHEMA).await.unwrap())
}

/// The same database, opened a second time with other settings.
pub(crate) async fn open_again(scratch: &Scratch, change: impl FnOnce(&mut DbOptions)) -> Db {
    let mut options = DbOptions::new(scratch.url().parse().unwrap());
    options.durability = Durability::Off;
    change(&mut options);
    Db::open(options).await.unwrap()
}

pub(crate) fn is_sqlite(db: &Db) -> bool {
    db.dialect() == Dialect::Sqlite
}

/// Polls once; on SQLite the body is in the queue afterwards.
pub(crate) async fn start<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    future
}

/// Two ends to stop a database thread inside a body: what the body holds, and what the test holds.
pub(crate) fn gate() -> (Gate, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (open, opened) = mpsc::channel();
    (Gate { entered, opened: Mutex::new(opened) }, has_entered, open)
}

/// Stops the writer's thread inside a body, until the sender is used or dropped.
pub(crate) async fn block_writer(
    db: &Db,
) -> (impl Future<Output = Result<(), StoreError>> + use<'_>, mpsc::Sender<()>) {
    let (gate, has_entered, open) = gate();
    let blocker = db.write(A, gate, |_, gate| {
        Box::pin(async move {
            gate.pass();
            Ok(())
        })
    });
    let blocker = start(blocker).await;
    has_entered.recv().unwrap();
    (blocker, open)
}

pub(crate) struct Gate {
    entered: mpsc::Sender<()>,
    opened: Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    /// Blocks the thread until the test opens the gate or drops its end.
    pub(crate) fn pass(&self) {
        self.entered.send(()).unwrap();
        self.opened.lock().unwrap().recv().ok();
    }
}
