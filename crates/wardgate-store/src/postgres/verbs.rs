//! Running one statement on a PostgreSQL connection.

use futures_util::future;
use tokio_postgres::{Error, types::ToSql};

use super::{error::store_error, lease::Lease};
use crate::{FromRow, Row, StoreError, Value, session::Statement};

pub(crate) async fn rows<T: FromRow>(
    lease: &mut Lease,
    statement: &Statement<'_>,
) -> Result<Vec<T>, StoreError> {
    let (prepared, bound) = bind(lease, statement).await?;
    let unseen = lease.needs(statement.sight());
    let found = seeing(unseen, lease, statement, lease.client().query(&prepared, &bound)).await?;
    found.iter().map(|row| statement.decode(Row::postgres(row))).collect()
}

pub(crate) async fn exec(lease: &mut Lease, statement: &Statement<'_>) -> Result<u64, StoreError> {
    let (prepared, bound) = bind(lease, statement).await?;
    let unseen = lease.needs(statement.sight());
    seeing(unseen, lease, statement, lease.client().execute(&prepared, &bound)).await
}

/// Awaits what `runs`; if the connection cannot see the statement's tenant yet, it is told so in the same breath: both
/// go out before the first answer is waited for.
async fn seeing<T>(
    unseen: bool,
    lease: &Lease,
    statement: &Statement<'_>,
    runs: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    if !unseen {
        return runs.await.map_err(|error| store_error(&error));
    }
    let sight = statement.sight().statement();
    // The first is sent first.
    let (told, ran) = future::join(lease.batch(&sight), runs).await;
    told?;
    ran.map_err(|error| store_error(&error))
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
