//! Values and cells in PostgreSQL's binary format, dispatched on the declared type.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::{Cell, Value};

type Fault = Box<dyn Error + Sync + Send>;

/// A parameter that does not fit the declared type of its placeholder: a mistake in the query.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} does not fit a parameter of type {declared}")]
pub(super) struct WrongType {
    value: Value<'static>,
    declared: Type,
}

impl ToSql for Value<'_> {
    fn to_sql(&self, declared: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match (self, declared) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => number.to_sql(declared, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(declared, out),
            (Self::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(declared, out),
            (Self::Text(text), _) if <&str as ToSql>::accepts(declared) => {
                text.as_ref().to_sql(declared, out)
            }
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.as_ref().to_sql(declared, out),
            (Self::Id(id), &Type::UUID) => id.to_sql(declared, out),
            (value, _) => {
                Err(Box::new(WrongType { value: value.without_content(), declared: declared.clone() }))
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Value<'_> {
    fn without_content(&self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(_) => Value::Int(0),
            Self::Text(_) => Value::Text("".into()),
            Self::Bytes(_) => Value::Bytes(Vec::new().into()),
            Self::Id(_) => Value::Id(Uuid::nil()),
        }
    }
}

/// Whether [`cell`] knows the type.
pub(crate) fn is_readable(ty: &Type) -> bool {
    matches!(*ty, Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::BYTEA | Type::UUID)
        || <&str as FromSql<'_>>::accepts(ty)
}

pub(crate) fn cell<'r>(ty: &Type, raw: &'r [u8]) -> Result<Cell<'r>, Fault> {
    match *ty {
        Type::INT8 => i64::from_sql(ty, raw).map(Cell::Int),
        Type::INT4 => i32::from_sql(ty, raw).map(|number| Cell::Int(number.into())),
        Type::INT2 => i16::from_sql(ty, raw).map(|number| Cell::Int(number.into())),
        Type::BOOL => bool::from_sql(ty, raw).map(|truth| Cell::Int(truth.into())),
        Type::BYTEA => Ok(Cell::Bytes(raw)),
        Type::UUID => Uuid::from_sql(ty, raw).map(Cell::Id),
        _ => <&str>::from_sql(ty, raw).map(Cell::Text),
    }
}
