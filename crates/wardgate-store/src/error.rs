//! What can go wrong between a caller and the database, told the same way for both engines.

use crate::constraint::Constraint;

/// A failed call to the database.
///
/// The texts are for the log. They name tables and columns but hold no parameter, so they carry no
/// secret; they still belong to the operator and never into an answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A rule of the schema refused the change; [`Constraint::is`] tells which.
    #[error("{0}")]
    Constraint(Constraint),
    /// Too much work waits, or this change lost five races against others: try later (HTTP 503).
    #[error("the database is busy")]
    Busy,
    /// The database is gone, full or read-only, or a COMMIT failed: nothing may be assumed written (HTTP 503).
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// [`Db::close`](crate::Db::close) was called before.
    #[error("the database was closed")]
    Closed,
    /// A query that must find one row found none.
    #[error("no such row")]
    NotFound,
    /// A row of another tenant, or one that shows no tenant, came back: a filter is missing in the query.
    #[error("a row outside the tenant of the transaction was read")]
    TenantMismatch,
    /// A column does not hold what the reader expects. The value itself is not told.
    #[error("column `{column}`: {reason}")]
    Decode {
        /// The name of the column in the result; empty until the row has added it.
        column: String,
        /// What was expected and which kind was found.
        reason: String,
    },
    /// The migrations of the program and of the database do not fit together.
    #[error("migration {0}")]
    Migration(String),
    /// What was asked of the database as a whole cannot be: it would destroy something, or a file is not what it has to
    /// be. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// A mistake of the program: wrong SQL, a panic or an outside await in a transaction body.
    #[error("{0}")]
    Internal(String),
}

impl StoreError {
    /// A decoding error without a column; [`Row::get`](crate::Row::get) adds the name.
    ///
    /// For implementations of [`Column`](crate::Column) outside this crate.
    pub fn decode(reason: impl Into<String>) -> Self {
        Self::Decode { column: String::new(), reason: reason.into() }
    }

    /// The constraint that refused the change, if one did.
    pub fn constraint(&self) -> Option<&Constraint> {
        match self {
            Self::Constraint(constraint) => Some(constraint),
            _ => None,
        }
    }

    pub(crate) fn in_column(self, name: &str) -> Self {
        match self {
            Self::Decode { column, reason } if column.is_empty() => {
                Self::Decode { column: name.to_owned(), reason }
            }
            other => other,
        }
    }

    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::Internal(text.into())
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable(text.into())
    }
}
