//! One SQL text on SQLite or PostgreSQL: pool, transaction, row, parameter, migration. Knows no table.
//!
//! A statement is a constant, checked while the program is compiled ([`sql!`]): it names its tenant, and it
//! holds no text put together at run time. A transaction is a closure ([`Db::write`]):
//!
//! ```
//! use wardgate_store::{Db, Migration, Sql, StoreError, TenantKey, Tx, from_row, params, sql};
//!
//! struct UserRow {
//!     id: uuid::Uuid,
//!     email: String,
//! }
//! from_row!(UserRow { id, email });
//!
//! const INSERT: Sql = sql!("INSERT INTO users (tenant_id, id, email) VALUES ($1, $2, $3)");
//! const BY_EMAIL: Sql = sql!("SELECT tenant_id, id, email FROM users WHERE tenant_id = $1 AND email = $2");
//!
//! async fn insert(tx: &mut Tx, user: &UserRow) -> Result<(), StoreError> {
//!     tx.exec(INSERT, &params![user.id, user.email]).await.map(|_| ())
//! }
//!
//! async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<UserRow>, StoreError> {
//!     tx.opt(BY_EMAIL, &params![email]).await
//! }
//!
//! const USERS: Migration = Migration {
//!     version: 1,
//!     name: "users",
//!     sql: "CREATE TABLE users (
//!         tenant_id {id} NOT NULL,
//!         id {id} NOT NULL,
//!         email TEXT NOT NULL,
//!         CONSTRAINT pk_users__id PRIMARY KEY (tenant_id, id),
//!         CONSTRAINT uq_users__email UNIQUE (tenant_id, email)
//!     )",
//! };
//!
//! async fn register(db: &Db, tenant: TenantKey, user: UserRow) -> Result<bool, StoreError> {
//!     let inserted = db.write(tenant, user, |tx, user| Box::pin(async move {
//!         insert(tx, user).await?;
//!         Ok::<_, StoreError>(())
//!     })).await;
//!     match inserted {
//!         Ok(()) => Ok(true),
//!         Err(StoreError::Constraint(taken)) if taken.is("users", &["email"]) => Ok(false),
//!         Err(other) => Err(other),
//!     }
//! }
//!
//! # fn is_send<T: Send>(value: T) -> T { value }
//! # #[tokio::main]
//! # async fn main() -> Result<(), StoreError> {
//! # let scratch = wardgate_store::testing::Scratch::sqlite(&[USERS]).await?;
//! # let (db, tenant) = (scratch.db(), TenantKey(uuid::Uuid::from_u128(1)));
//! let alice = |id| UserRow { id: uuid::Uuid::from_u128(id), email: "alice@example.com".into() };
//! assert!(is_send(register(db, tenant, alice(1))).await?);
//! assert!(!register(db, tenant, alice(2)).await?);
//!
//! let found = db.lookup(tenant, String::from("alice@example.com"), |tx, email| {
//!     Box::pin(async move { by_email(tx, email).await })
//! }).await?;
//! assert_eq!(found.map(|user| user.id), Some(uuid::Uuid::from_u128(1)));
//! # Ok(())
//! # }
//! ```
//!
//! # What a body may do
//! On SQLite the whole body runs on the writer's thread, together with others in one COMMIT; on PostgreSQL it
//! runs on the caller's task and may be called again. So it awaits nothing but its own statements, touches
//! no memory outside, and is quick: hashing, signing, mail and HTTP come before or after.

mod body;
mod column;
mod constraint;
mod db;
mod dialect;
mod error;
mod migrate;
mod options;
mod param;
mod postgres;
mod relocate;
mod row;
mod session;
mod sqlite;
mod stats;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod url;

pub use column::{Cell, Column};
pub use constraint::{Constraint, ConstraintKind};
pub use db::Db;
#[doc(hidden)]
pub use dialect::question_marks;
pub use dialect::{Dialect, GlobalSql, Sql};
pub use error::StoreError;
pub use migrate::{Applied, Migration, Pending};
pub use options::{DbOptions, Durability};
pub use param::{Param, Value};
pub use relocate::TableRows;
pub use row::{FromRow, Row};
pub use sqlite::file::{Replace, Staged, back_up, check_integrity, refuse_existing};
pub use stats::Stats;
pub use tx::{BoxFuture, GlobalTx, TenantKey, Tx};
pub use url::{DatabaseUrl, DatabaseUrlError};
