//! The kinds a column can hold, and the Rust types that read them.

use std::fmt;

use uuid::Uuid;

use crate::StoreError;

/// What one column of one row holds, borrowed from the driver. `Debug` shows the kind only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL `NULL`.
    Null,
    /// Any integer type; PostgreSQL's `BOOL` as 0 or 1.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes; on SQLite also an id.
    Bytes(&'a [u8]),
    /// PostgreSQL's `UUID`.
    Id(Uuid),
}

impl Cell<'_> {
    fn kind(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Id(_) => "an id",
        }
    }

    /// The error for a cell of the wrong kind; `wanted` reads like "text" or "16 bytes".
    pub fn is_not(self, wanted: &str) -> StoreError {
        StoreError::decode(format!("expected {wanted}, found {}", self.kind()))
    }
}

impl fmt::Debug for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// A type that can be read from a column.
///
/// Newtypes implement it by delegating and report their own faults with [`StoreError::decode`].
pub trait Column: Sized {
    /// Reads the cell.
    ///
    /// # Errors
    /// [`StoreError::Decode`] without a column name, which the row adds.
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError>;
}

impl Column for i64 {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Int(number) => Ok(number),
            other => Err(other.is_not("an integer")),
        }
    }
}

impl Column for u32 {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        let number = i64::from_cell(cell)?;
        Self::try_from(number).map_err(|_| StoreError::decode("the integer is outside 0 to 2^32 - 1"))
    }
}

/// Only 0 and 1: any other integer is a damaged row, not a truth.
impl Column for bool {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match i64::from_cell(cell)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StoreError::decode("expected 0 or 1")),
        }
    }
}

impl Column for String {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Text(text) => Ok(text.to_owned()),
            other => Err(other.is_not("text")),
        }
    }
}

impl Column for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Bytes(bytes) => Ok(bytes.to_vec()),
            other => Err(other.is_not("bytes")),
        }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Bytes(bytes) => bytes
                .try_into()
                .map_err(|_| StoreError::decode(format!("expected {N} bytes, found {}", bytes.len()))),
            other => Err(other.is_not("bytes")),
        }
    }
}

impl Column for Uuid {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Id(id) => Ok(id),
            Cell::Bytes(bytes) => Self::from_slice(bytes).map_err(|_| {
                StoreError::decode(format!("expected an id of 16 bytes, found {}", bytes.len()))
            }),
            other => Err(other.is_not("an id")),
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn from_cell(cell: Cell<'_>) -> Result<Self, StoreError> {
        match cell {
            Cell::Null => Ok(None),
            some => T::from_cell(some).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_reads_its_own_kind_only() {
        assert_eq!(i64::from_cell(Cell::Int(-1)), Ok(-1));
        assert_eq!(u32::from_cell(Cell::Int(9)), Ok(9));
        assert_eq!(bool::from_cell(Cell::Int(1)), Ok(true));
        assert_eq!(String::from_cell(Cell::Text("x")), Ok("x".to_owned()));
        assert_eq!(<[u8; 2]>::from_cell(Cell::Bytes(&[1, 2])), Ok([1, 2]));
        assert_eq!(Option::<i64>::from_cell(Cell::Null), Ok(None));
        assert!(i64::from_cell(Cell::Null).is_err());
        assert!(String::from_cell(Cell::Bytes(b"x")).is_err());
        assert!(Vec::<u8>::from_cell(Cell::Text("x")).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(u32::from_cell(Cell::Int(-1)).is_err());
        assert!(u32::from_cell(Cell::Int(1 << 32)).is_err());
        assert!(bool::from_cell(Cell::Int(2)).is_err());
        assert!(<[u8; 2]>::from_cell(Cell::Bytes(&[1, 2, 3])).is_err());
        assert!(Uuid::from_cell(Cell::Bytes(&[0; 15])).is_err());
        assert!(Uuid::from_cell(Cell::Text("00000000-0000-0000-0000-000000000000")).is_err());
    }

    #[test]
    fn an_id_is_read_from_both_forms() {
        let id = Uuid::from_u128(5);
        assert_eq!(Uuid::from_cell(Cell::Id(id)), Ok(id));
        assert_eq!(Uuid::from_cell(Cell::Bytes(id.as_bytes())), Ok(id));
    }
}
