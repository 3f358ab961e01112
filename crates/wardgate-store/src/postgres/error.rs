//! PostgreSQL's SQLSTATE codes as [`StoreError`].
//!
//! Only the primary message is kept: the detail repeats the values of the row.

use std::error::Error as _;

use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use super::value::WrongType;
use crate::{Constraint, ConstraintKind, StoreError};

pub(super) fn store_error(error: &Error) -> StoreError {
    if let Some(refusal) = error.as_db_error() {
        return by_state(refusal);
    }
    // Without an answer of the server it is the network, except for values that never left.
    if error.source().is_some_and(|source| source.is::<WrongType>()) {
        return StoreError::internal(describe(error));
    }
    StoreError::unavailable(describe(error))
}

fn by_state(refusal: &DbError) -> StoreError {
    let code = refusal.code();
    if let Some(constraint) = constraint(refusal) {
        return StoreError::Constraint(constraint);
    }
    let lost_race = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    if lost_race.contains(code) {
        return StoreError::Busy;
    }
    // Connection trouble, authorization, no such database, out of resources, operator intervention, I/O.
    let gone = ["08", "28", "3D", "53", "57", "58"].iter().any(|class| code.code().starts_with(class));
    // A standby after a failover takes no changes. And whoever waited for a lock until the timeout would wait as long
    // again in a second run.
    let unable = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::LOCK_NOT_AVAILABLE];
    if gone || unable.contains(code) {
        return StoreError::unavailable(brief(refusal));
    }
    StoreError::internal(brief(refusal))
}

fn constraint(refusal: &DbError) -> Option<Constraint> {
    let name = refusal.constraint().unwrap_or_default();
    let code = refusal.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        let primary = name.starts_with("pk_") || name.ends_with("_pkey");
        let kind = if primary { ConstraintKind::PrimaryKey } else { ConstraintKind::Unique };
        Some(Constraint::from_name(kind, name))
    } else if *code == SqlState::FOREIGN_KEY_VIOLATION {
        Some(Constraint::foreign_key())
    } else if *code == SqlState::CHECK_VIOLATION {
        Some(Constraint::from_name(ConstraintKind::Check, name))
    } else if *code == SqlState::NOT_NULL_VIOLATION {
        Some(Constraint::new(ConstraintKind::NotNull, refusal.table().unwrap_or_default(), refusal.column()))
    } else {
        None
    }
}

fn brief(refusal: &DbError) -> String {
    format!("{} ({})", refusal.message(), refusal.code().code())
}

/// The error with its cause, which the driver's own text leaves out; never with the values of a row.
pub(super) fn describe(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(refusal), _) => brief(refusal),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
