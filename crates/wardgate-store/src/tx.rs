//! The transaction a body works in: four verbs and a lock, inside one tenant or above all.

use std::{future::Future, pin::Pin};

use uuid::Uuid;

use crate::{
    FromRow, GlobalSql, Sql, StoreError, Value,
    session::{Session, Statement},
};

/// The future a transaction body returns: `Box::pin(async move { … })`.
pub type BoxFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// The tenant a transaction is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey(pub Uuid);

/// A transaction inside one tenant.
///
/// `$1` of every statement is the tenant, bound here; the caller's parameters are `$2`, `$3`, …. Every row
/// that comes back shows its tenant in the first column; it is compared and then hidden, so that the
/// caller's columns count from 0.
///
/// A verb that fails, other than with [`StoreError::NotFound`], fails the transaction: later verbs repeat
/// the error and the body cannot commit, even if it returns `Ok`. PostgreSQL has this rule anyway, and
/// SQLite follows it so that a body means the same on both.
pub struct Tx {
    session: Session,
    tenant: TenantKey,
}

/// A transaction above tenants, for the few tables that have none and for sweeps over all tenants.
///
/// `$1` is the caller's first parameter and no column is hidden; otherwise as [`Tx`].
pub struct GlobalTx {
    /// Only its session is used above tenants.
    inner: Tx,
}

impl Tx {
    /// The tenant this transaction is opened for.
    pub fn tenant(&self) -> TenantKey {
        self.tenant
    }

    /// All rows of the result.
    ///
    /// # Errors
    /// [`StoreError::TenantMismatch`] if a row of another tenant comes back; else what the database says.
    pub async fn all<T: FromRow>(&mut self, sql: Sql, params: &[Value<'_>]) -> Result<Vec<T>, StoreError> {
        self.session.all(&Statement::of_tenant(sql, self.tenant, params)).await
    }

    /// The only row of the result, or `None`.
    ///
    /// # Errors
    /// As [`Tx::all`]; more than one row is an internal error.
    pub async fn opt<T: FromRow>(&mut self, sql: Sql, params: &[Value<'_>]) -> Result<Option<T>, StoreError> {
        self.session.opt(&Statement::of_tenant(sql, self.tenant, params)).await
    }

    /// The only row of the result.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none; else as [`Tx::opt`].
    pub async fn one<T: FromRow>(&mut self, sql: Sql, params: &[Value<'_>]) -> Result<T, StoreError> {
        self.opt(sql, params).await?.ok_or(StoreError::NotFound)
    }

    /// Runs a statement without a result and tells how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] if the schema refuses; else what the database says.
    pub async fn exec(&mut self, sql: Sql, params: &[Value<'_>]) -> Result<u64, StoreError> {
        self.session.exec(&Statement::of_tenant(sql, self.tenant, params)).await
    }

    /// Waits until no other transaction of this tenant holds `name`, and holds it until the end.
    ///
    /// For rules over several rows ("the last owner stays"): PostgreSQL's READ COMMITTED would let two
    /// transactions each see the other's row. On SQLite there is one writer, so nothing is done. Only
    /// useful in [`Db::write`](crate::Db::write), and before the first query of the rule.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock(&mut self, name: &str) -> Result<(), StoreError> {
        self.session.lock(self.tenant.0.as_bytes(), name).await
    }
}

impl GlobalTx {
    /// The same transaction inside one tenant: for a change above tenants whose record belongs to one.
    pub fn within(&mut self, tenant: TenantKey) -> &mut Tx {
        self.inner.tenant = tenant;
        &mut self.inner
    }

    /// All rows of the result.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all<T: FromRow>(
        &mut self,
        sql: GlobalSql,
        params: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        self.inner.session.all(&Statement::above_tenants(sql, params)).await
    }

    /// The only row of the result, or `None`.
    ///
    /// # Errors
    /// More than one row is an internal error; else what the database says.
    pub async fn opt<T: FromRow>(
        &mut self,
        sql: GlobalSql,
        params: &[Value<'_>],
    ) -> Result<Option<T>, StoreError> {
        self.inner.session.opt(&Statement::above_tenants(sql, params)).await
    }

    /// The only row of the result.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none; else as [`GlobalTx::opt`].
    pub async fn one<T: FromRow>(&mut self, sql: GlobalSql, params: &[Value<'_>]) -> Result<T, StoreError> {
        self.opt(sql, params).await?.ok_or(StoreError::NotFound)
    }

    /// Runs a statement without a result and tells how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] if the schema refuses; else what the database says.
    pub async fn exec(&mut self, sql: GlobalSql, params: &[Value<'_>]) -> Result<u64, StoreError> {
        self.inner.session.exec(&Statement::above_tenants(sql, params)).await
    }

    /// Lets its statements take as long as they need: for what goes through whole tables while nobody is served.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_time(&mut self) -> Result<(), StoreError> {
        self.inner.session.take_time().await
    }

    /// As [`Tx::lock`], with a name that is one for all tenants.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock(&mut self, name: &str) -> Result<(), StoreError> {
        self.inner.session.lock(b"global", name).await
    }
}

/// Either kind of transaction, for the engines, which treat both alike.
pub(crate) trait Scope: Send + Sized + 'static {
    /// What a transaction of this kind is opened for.
    type Key: Copy + Send + 'static;

    fn enter(session: Session, key: Self::Key) -> Self;
    fn leave(self) -> Session;
    #[cfg(feature = "testing")]
    fn session(&mut self) -> &mut Session;
}

impl Scope for Tx {
    type Key = TenantKey;

    fn enter(session: Session, tenant: TenantKey) -> Self {
        Self { session, tenant }
    }

    fn leave(self) -> Session {
        self.session
    }

    #[cfg(feature = "testing")]
    fn session(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Scope for GlobalTx {
    type Key = ();

    fn enter(session: Session, (): ()) -> Self {
        Self { inner: Tx { session, tenant: TenantKey(Uuid::nil()) } }
    }

    fn leave(self) -> Session {
        self.inner.session
    }

    #[cfg(feature = "testing")]
    fn session(&mut self) -> &mut Session {
        &mut self.inner.session
    }
}
