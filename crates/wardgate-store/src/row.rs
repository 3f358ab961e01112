//! Rows on their way out of a statement.

use tokio_postgres::types::FromSql;

use crate::{
    StoreError,
    column::{Cell, Column},
    sqlite,
    tx::TenantKey,
};

/// One row of a result. Index 0 is the caller's first column, the one after `tenant_id`.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    source: Source<'r>,
    /// How many leading columns the transaction keeps to itself: 1 for the tenant, 0 above tenants.
    hidden: usize,
}

#[derive(Clone, Copy)]
enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> Row<'r> {
    /// The value of the column at `index`.
    ///
    /// # Errors
    /// [`StoreError::Decode`], with the column's name, if there is no such column or it holds another kind.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        let at = index + self.hidden;
        self.cell(at).and_then(T::from_cell).map_err(|error| error.in_column(self.name(at)))
    }

    /// The next column; the engine of [`from_row!`](crate::from_row).
    #[doc(hidden)]
    pub fn take<T: Column>(&self, next: &mut usize) -> Result<T, StoreError> {
        let index = *next;
        *next += 1;
        self.get(index)
    }

    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self { source: Source::Sqlite(row), hidden: 0 }
    }

    pub(crate) fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self { source: Source::Postgres(row), hidden: 0 }
    }

    /// Refuses a row of another tenant and hides the tenant column.
    ///
    /// The second guard behind `WHERE tenant_id = $1`: a query whose filter is missing or wrong must not
    /// leak a row, so anything but this very tenant in the first column stops the transaction.
    pub(crate) fn guarded(self, tenant: Option<TenantKey>) -> Result<Self, StoreError> {
        let Some(tenant) = tenant else { return Ok(self) };
        let found: Result<uuid::Uuid, StoreError> = self.get(0);
        if found.is_ok_and(|found| found == tenant.0) {
            Ok(Self { hidden: 1, ..self })
        } else {
            Err(StoreError::TenantMismatch)
        }
    }

    fn cell(&self, at: usize) -> Result<Cell<'r>, StoreError> {
        match self.source {
            Source::Sqlite(row) => sqlite::value::cell(row, at),
            Source::Postgres(row) => row.try_get::<_, PgCell<'r>>(at).map(|cell| cell.0).map_err(|_| {
                StoreError::decode("the column is absent or of a type outside the common subset")
            }),
        }
    }

    fn name(&self, at: usize) -> &str {
        match self.source {
            Source::Sqlite(row) => row.as_ref().column_name(at).unwrap_or("?"),
            Source::Postgres(row) => row.columns().get(at).map_or("?", tokio_postgres::Column::name),
        }
    }
}

/// Lets the driver hand out a [`Cell`] without making its foreign trait part of the public type.
struct PgCell<'r>(Cell<'r>);

impl<'r> FromSql<'r> for PgCell<'r> {
    fn from_sql(
        ty: &tokio_postgres::types::Type,
        raw: &'r [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        crate::postgres::value::cell(ty, raw).map(Self)
    }

    fn from_sql_null(
        _: &tokio_postgres::types::Type,
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(ty: &tokio_postgres::types::Type) -> bool {
        crate::postgres::value::is_readable(ty)
    }
}

/// A type made of one row; for structs see [`from_row!`](crate::from_row).
pub trait FromRow: Sized {
    /// Reads the columns by position.
    ///
    /// # Errors
    /// [`StoreError::Decode`] for a column that is absent or holds another kind.
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError>;
}

macro_rules! tuple_from_row {
    ($($name:ident)+) => {
        impl<$($name: Column),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
                let mut next = 0;
                Ok(($(row.take::<$name>(&mut next)?,)+))
            }
        }
    };
}

tuple_from_row!(A);
tuple_from_row!(A B);
tuple_from_row!(A B C);
tuple_from_row!(A B C D);
tuple_from_row!(A B C D E);
tuple_from_row!(A B C D E F);
tuple_from_row!(A B C D E F G);
tuple_from_row!(A B C D E F G H);
tuple_from_row!(A B C D E F G H I);
tuple_from_row!(A B C D E F G H I J);
tuple_from_row!(A B C D E F G H I J K);
tuple_from_row!(A B C D E F G H I J K L);

/// Implements [`FromRow`] for a struct: its fields take the columns by position, in the order given here.
///
/// ```
/// use wardgate_store::{Sql, from_row, sql};
///
/// struct UserRow {
///     id: uuid::Uuid,
///     email: String,
///     name: Option<String>,
/// }
/// from_row!(UserRow { id, email, name });
///
/// const BY_ID: Sql = sql!("SELECT tenant_id, id, email, name FROM users WHERE tenant_id = $1 AND id = $2");
/// ```
#[macro_export]
macro_rules! from_row {
    ($row:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::FromRow for $row {
            fn from_row(row: &$crate::Row<'_>) -> ::core::result::Result<Self, $crate::StoreError> {
                let mut next = 0;
                Ok(Self { $($field: row.take(&mut next)?),+ })
            }
        }
    };
}
