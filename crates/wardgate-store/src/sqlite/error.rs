//! SQLite's result codes as [`StoreError`].

use rusqlite::{Error, ErrorCode, ffi};

use crate::{Constraint, ConstraintKind, StoreError};

pub(super) fn store_error(error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(code, message) => by_code(*code, message.as_deref(), error),
        other => StoreError::internal(other.to_string()),
    }
}

fn by_code(code: ffi::Error, message: Option<&str>, error: &Error) -> StoreError {
    match code.code {
        ErrorCode::ConstraintViolation => constraint(code.extended_code, message.unwrap_or_default()),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::CannotOpen
        | ErrorCode::ReadOnly
        | ErrorCode::NotADatabase
        | ErrorCode::PermissionDenied
        | ErrorCode::OutOfMemory => StoreError::unavailable(error.to_string()),
        _ => StoreError::internal(error.to_string()),
    }
}

/// Reads the list in "UNIQUE constraint failed: users.tenant_id, users.email".
fn constraint(extended_code: i32, message: &str) -> StoreError {
    let subject = message.split_once(": ").map_or("", |(_, subject)| subject);
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE => listed(ConstraintKind::Unique, subject),
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            listed(ConstraintKind::PrimaryKey, subject)
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => listed(ConstraintKind::NotNull, subject),
        ffi::SQLITE_CONSTRAINT_CHECK => {
            StoreError::Constraint(Constraint::from_name(ConstraintKind::Check, subject))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::Constraint(Constraint::foreign_key()),
        _ => StoreError::internal(message),
    }
}

fn listed(kind: ConstraintKind, subject: &str) -> StoreError {
    // An index over an expression is reported by its name: "index 'uq_users__email'".
    if let Some(name) = subject.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        return StoreError::Constraint(Constraint::from_name(kind, name));
    }
    let pairs = subject.split(", ").filter_map(|column| column.split_once('.'));
    let table = pairs.clone().next().map_or("", |(table, _)| table);
    StoreError::Constraint(Constraint::new(kind, table, pairs.map(|(_, column)| column)))
}
