//! Running one statement on a PostgreSQL connection.

use tokio_postgres::types::ToSql;

use super::{error::store_error, lease::Lease};
use crate::{FromRow, Row, StoreError, Value, session::Statement};

pub(crate) async fn rows<T: FromRow>(lease: &Lease, statement: &Statement<'_>) -> Result<Vec<T>, StoreError> {
    let (prepared, bound) = bind(lease, statement).await?;
    let found = lease.client().query(&prepared, &bound).await.map_err(|error| store_error(&error))?;
    found.iter().map(|row| statement.decode(Row::postgres(row))).collect()
}

pub(crate) async fn exec(lease: &Lease, statement: &Statement<'_>) -> Result<u64, StoreError> {
    let (prepared, bound) = bind(lease, statement).await?;
    lease.client().execute(&prepared, &bound).await.map_err(|error| store_error(&error))
}

type Bound<'s> = Vec<&'s (dyn ToSql + Sync)>;

async fn bind<'s>(
    lease: &Lease,
    statement: &'s Statement<'_>,
) -> Result<(tokio_postgres::Statement, Bound<'s>), StoreError> {
    let bound = statement.bound()?;
    let prepared = lease.client().prepare_cached(statement.text.postgres).await;
    let prepared = prepared.map_err(|error| store_error(&error))?;
    let (wanted, given) = (prepared.params().len(), bound.len());
    if wanted != given {
        return Err(StoreError::internal(format!("the statement takes {wanted} parameters, got {given}")));
    }
    let erased = bound.into_iter().map(|value: &Value<'_>| value as &(dyn ToSql + Sync)).collect();
    Ok((prepared, erased))
}
