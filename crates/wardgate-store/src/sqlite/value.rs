//! Values and cells in SQLite's four storage classes.

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};

use crate::{Cell, StoreError, Value};

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

pub(crate) fn cell<'r>(row: &'r rusqlite::Row<'_>, at: usize) -> Result<Cell<'r>, StoreError> {
    match row.get_ref(at).map_err(|_| StoreError::decode("there is no such column"))? {
        ValueRef::Null => Ok(Cell::Null),
        ValueRef::Integer(number) => Ok(Cell::Int(number)),
        ValueRef::Blob(bytes) => Ok(Cell::Bytes(bytes)),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).map(Cell::Text).map_err(|_| StoreError::decode("the text is not UTF-8"))
        }
        ValueRef::Real(_) => Err(StoreError::decode("floating-point numbers are outside the common subset")),
    }
}
