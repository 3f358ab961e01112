//! Values on their way into a statement.

use std::{borrow::Cow, fmt};

use uuid::Uuid;

/// A parameter of a statement, in one of the five forms that both engines store alike.
///
/// `Debug` shows the form and the length only: parameters are addresses, digests and sealed secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL `NULL`, of any type.
    Null,
    /// `BIGINT` (and the narrower integers of PostgreSQL, if it fits).
    Int(i64),
    /// `TEXT`. A NUL byte is refused on both engines, because PostgreSQL cannot store it.
    Text(Cow<'a, str>),
    /// `BLOB` or `BYTEA`.
    Bytes(Cow<'a, [u8]>),
    /// A 16-byte `BLOB`, or `UUID`.
    Id(Uuid),
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(_) => f.write_str("Int"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Id(_) => f.write_str("Id"),
        }
    }
}

/// A type that can be bound to a placeholder.
pub trait Param {
    /// The value to bind; borrows where it can.
    fn to_value(&self) -> Value<'_>;
}

impl Param for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            other => other.clone(),
        }
    }
}

impl Param for i64 {
    fn to_value(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl Param for u32 {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

/// 0 or 1 in a `BIGINT`: SQLite has no boolean.
impl Param for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl Param for str {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl Param for String {
    fn to_value(&self) -> Value<'_> {
        self.as_str().to_value()
    }
}

impl Param for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(Cow::Borrowed(self))
    }
}

impl Param for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        self.as_slice().to_value()
    }
}

impl<const N: usize> Param for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        self.as_slice().to_value()
    }
}

impl Param for Uuid {
    fn to_value(&self) -> Value<'_> {
        Value::Id(*self)
    }
}

impl<T: Param> Param for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Param::to_value)
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

/// The parameters of a statement as an array of [`Value`], in the order of the placeholders.
///
/// In a [`Tx`](crate::Tx) the first one binds `$2`, because `$1` is the tenant; in a
/// [`GlobalTx`](crate::GlobalTx) it binds `$1`.
///
/// ```
/// use wardgate_store::{Value, params};
///
/// let email = String::from("a@example.com");
/// assert_eq!(params![email, 3_i64, None::<i64>].len(), 3);
/// let none: &[Value<'_>] = &params![];
/// assert!(none.is_empty());
/// ```
#[macro_export]
macro_rules! params {
    () => {
        [] as [$crate::Value<'static>; 0]
    };
    ($($value:expr),+ $(,)?) => {
        [$($crate::Param::to_value(&$value)),+]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_form_of_their_type() {
        let id = Uuid::from_u128(7);
        assert_eq!(true.to_value(), Value::Int(1));
        assert_eq!(u32::MAX.to_value(), Value::Int(4_294_967_295));
        assert_eq!("a".to_value(), Value::Text("a".into()));
        assert_eq!([1_u8, 2].to_value(), Value::Bytes(vec![1, 2].into()));
        assert_eq!(Some(&id).to_value(), Value::Id(id));
        assert_eq!(None::<String>.to_value(), Value::Null);
    }

    #[test]
    fn debug_hides_the_content() {
        let text = format!("{:?}", params!["hunter2", b"secret".as_slice(), 42_i64, Uuid::nil()]);
        assert_eq!(text, "[Text(7 bytes), Bytes(6 bytes), Int, Id]");
    }
}
