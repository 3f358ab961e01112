//! A connection lent to one transaction, and the memory whether a statement failed in it.

use rusqlite::Connection;

use crate::{
    FromRow, GlobalSql, Row, Sql, StoreError, TenantKey, Value,
    dialect::Text,
    postgres,
    postgres::{Lease, Sight},
    sqlite,
};

/// One statement with all its parameters.
pub(crate) struct Statement<'a> {
    pub(crate) text: Text,
    tenant: Option<TenantKey>,
    tenant_value: Option<Value<'static>>,
    params: &'a [Value<'a>],
}

impl<'a> Statement<'a> {
    pub(crate) fn of_tenant(sql: Sql, tenant: TenantKey, params: &'a [Value<'a>]) -> Self {
        Self { text: sql.0, tenant: Some(tenant), tenant_value: Some(Value::Id(tenant.0)), params }
    }

    pub(crate) fn above_tenants(sql: GlobalSql, params: &'a [Value<'a>]) -> Self {
        Self { text: sql.0, tenant: None, tenant_value: None, params }
    }

    /// The parameters in the order of their numbers, the tenant first.
    ///
    /// # Errors
    /// An internal error for text with a NUL byte: PostgreSQL refuses it and SQLite would cut it in places.
    pub(crate) fn bound(&self) -> Result<Vec<&Value<'a>>, StoreError> {
        let all: Vec<_> = self.tenant_value.iter().chain(self.params).collect();
        let has_nul = |value: &&Value<'_>| matches!(value, Value::Text(text) if text.contains('\0'));
        if all.iter().any(has_nul) {
            return Err(StoreError::internal("a text parameter contains a NUL byte"));
        }
        Ok(all)
    }

    /// Which rows the database itself may show it; see [`Sight`].
    pub(crate) fn sight(&self) -> Sight {
        self.tenant.map_or(Sight::All, Sight::Tenant)
    }

    /// Makes a value of one row after the tenant guard has seen it.
    pub(crate) fn decode<T: FromRow>(&self, row: Row<'_>) -> Result<T, StoreError> {
        T::from_row(&row.guarded(self.tenant)?)
    }
}

pub(crate) enum Conn {
    Sqlite(Connection),
    Postgres(Lease),
}

pub(crate) struct Session {
    conn: Conn,
    /// Whether there is a transaction around the statements.
    in_transaction: bool,
    failed: Option<StoreError>,
    #[cfg(feature = "testing")]
    watch: crate::testing::Watch,
}

impl Session {
    pub(crate) fn transaction(conn: Conn) -> Self {
        Self::new(conn, true)
    }

    /// For point reads. Refuses what would commit by itself or be released at once.
    pub(crate) fn lookup(conn: Conn) -> Self {
        Self::new(conn, false)
    }

    fn new(conn: Conn, in_transaction: bool) -> Self {
        Self {
            conn,
            in_transaction,
            failed: None,
            #[cfg(feature = "testing")]
            watch: crate::testing::Watch::default(),
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn watched_by(&mut self, watch: &crate::testing::Watch) {
        self.watch = watch.clone();
    }

    /// The connection, and the first error a verb met in this transaction.
    pub(crate) fn end(self) -> (Conn, Option<StoreError>) {
        (self.conn, self.failed)
    }

    pub(crate) async fn all<T: FromRow>(&mut self, statement: &Statement<'_>) -> Result<Vec<T>, StoreError> {
        self.may_run(statement.text.changes)?;
        #[cfg(feature = "testing")]
        self.watch.note(statement.text.postgres);
        let rows = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::verbs::rows(conn, statement),
            Conn::Postgres(lease) => postgres::verbs::rows(lease, statement).await,
        };
        self.remember(rows)
    }

    pub(crate) async fn opt<T: FromRow>(
        &mut self,
        statement: &Statement<'_>,
    ) -> Result<Option<T>, StoreError> {
        let mut rows = self.all(statement).await?;
        let first = rows.pop();
        if rows.is_empty() {
            return Ok(first);
        }
        self.remember(Err(StoreError::internal("a query for one row found several")))
    }

    pub(crate) async fn exec(&mut self, statement: &Statement<'_>) -> Result<u64, StoreError> {
        self.may_run(true)?;
        #[cfg(feature = "testing")]
        self.watch.note(statement.text.postgres);
        let changed = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::verbs::exec(conn, statement),
            Conn::Postgres(lease) => postgres::verbs::exec(lease, statement).await,
        };
        self.remember(changed)
    }

    pub(crate) async fn lock(&mut self, space: &[u8], name: &str) -> Result<(), StoreError> {
        self.may_run(true)?;
        #[cfg(feature = "testing")]
        self.watch.note("LOCK");
        let locked = match &mut self.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(lease) => postgres::lock::in_transaction(lease, space, name).await,
        };
        self.remember(locked)
    }

    pub(crate) async fn take_time(&mut self) -> Result<(), StoreError> {
        self.may_run(true)?;
        let taken = match &mut self.conn {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(lease) => lease.batch("SET LOCAL statement_timeout = 0").await,
        };
        self.remember(taken)
    }

    fn may_run(&self, needs_transaction: bool) -> Result<(), StoreError> {
        match &self.failed {
            Some(failed) => Err(failed.clone()),
            None if needs_transaction && !self.in_transaction => {
                Err(StoreError::internal("a lookup neither changes anything nor holds a lock"))
            }
            None => Ok(()),
        }
    }

    fn remember<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.failed.get_or_insert_with(|| error.clone());
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_nul_is_refused() {
        const ANY: GlobalSql = crate::global_sql!("SELECT $1");
        let params = crate::params!["a\0b"];
        assert!(Statement::above_tenants(ANY, &params).bound().is_err());
    }

    #[test]
    fn the_tenant_is_bound_first() {
        const ANY: Sql = crate::sql!("SELECT tenant_id FROM t WHERE tenant_id = $1 AND a = $2");
        let tenant = TenantKey(uuid::Uuid::from_u128(1));
        let params = crate::params![7_i64];
        let statement = Statement::of_tenant(ANY, tenant, &params);
        assert_eq!(statement.bound().unwrap(), [&Value::Id(tenant.0), &Value::Int(7)]);
    }
}
