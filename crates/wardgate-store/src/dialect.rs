//! One SQL text for both engines, checked while the program is compiled.

mod check;
mod words;

pub(crate) use words::fill_words;

/// The database engine behind a [`Db`](crate::Db).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite, bundled.
    Sqlite,
    /// PostgreSQL 15 or newer.
    Postgres,
}

/// The text of one statement in both placeholder styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
    /// Whether it is an `INSERT`, `UPDATE` or `DELETE`.
    pub(crate) changes: bool,
}

/// A statement inside one tenant, made by [`sql!`](crate::sql) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sql(pub(crate) Text);

/// A statement above tenants, made by [`global_sql!`](crate::global_sql) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalSql(pub(crate) Text);

impl Sql {
    /// The text with `$n` placeholders, as written.
    pub const fn text(self) -> &'static str {
        self.0.postgres
    }

    #[doc(hidden)]
    pub const fn checked(text: &'static str, translated: &'static [u8]) -> Self {
        check::common(text.as_bytes());
        check::tenant(text.as_bytes());
        Self(Text::of(text, translated))
    }
}

impl GlobalSql {
    /// The text with `$n` placeholders, as written.
    pub const fn text(self) -> &'static str {
        self.0.postgres
    }

    #[doc(hidden)]
    pub const fn checked(text: &'static str, translated: &'static [u8]) -> Self {
        check::common(text.as_bytes());
        Self(Text::of(text, translated))
    }
}

impl Text {
    const fn of(postgres: &'static str, translated: &'static [u8]) -> Self {
        match std::str::from_utf8(translated) {
            Ok(sqlite) => Self { postgres, sqlite, changes: check::changes(postgres.as_bytes()) },
            Err(_) => panic!("replacing one ASCII character by another keeps the text valid"),
        }
    }
}

/// `$1` as `?1`: SQLite reads `$2` as a *name*, numbered by its first appearance in the text.
#[doc(hidden)]
pub const fn question_marks<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut translated = [0; N];
    let mut at = 0;
    while at < N {
        translated[at] = if bytes[at] == b'$' { b'?' } else { bytes[at] };
        at += 1;
    }
    translated
}

/// A statement inside one tenant, with `$1` for the tenant and `$2`, `$3`, … for the caller's parameters.
///
/// The text is checked while compiling, so that a query without a tenant cannot be written by accident:
/// * it demands `tenant_id = $1` after `WHERE`, `AND`, `ON` or `(` (a qualified column counts), or it is an
///   `INSERT` whose columns begin with `(tenant_id` and whose first value, in every row, is `$1`;
/// * a statement that begins with `SELECT` selects `tenant_id` first, and so does every `RETURNING`: the
///   transaction compares it with its own tenant and hides it from the caller;
/// * `ON CONFLICT … DO UPDATE` has a key that begins with `tenant_id`;
/// * one statement, no comments, `$` only in front of a number, no `?`.
///
/// ```
/// use wardgate_store::{Sql, sql};
///
/// const BY_ID: Sql = sql!("SELECT tenant_id, id, email FROM users WHERE tenant_id = $1 AND id = $2");
/// const INSERT: Sql = sql!("INSERT INTO users (tenant_id, id, email) VALUES ($1, $2, $3)");
/// const RENAME: Sql = sql!(
///     "UPDATE users SET name = $3 WHERE tenant_id = $1 AND id = $2 RETURNING tenant_id, version"
/// );
/// const JOINED: Sql = sql!(
///     "SELECT u.tenant_id, u.id FROM users u JOIN roles r ON r.user_id = u.id WHERE u.tenant_id = $1"
/// );
/// ```
///
/// No tenant at all:
/// ```compile_fail
/// const ALL: wardgate_store::Sql = wardgate_store::sql!("SELECT tenant_id, id FROM users");
/// ```
/// The tenant is only one of two ways in:
/// ```compile_fail
/// const ANY: wardgate_store::Sql =
///     wardgate_store::sql!("SELECT tenant_id, id FROM users WHERE id = $2 OR tenant_id = $1");
/// ```
/// The tenant is assigned instead of demanded:
/// ```compile_fail
/// const STEAL: wardgate_store::Sql =
///     wardgate_store::sql!("UPDATE users SET tenant_id = $1 WHERE id = $2");
/// ```
/// The tenant is not selected first:
/// ```compile_fail
/// const BLIND: wardgate_store::Sql =
///     wardgate_store::sql!("SELECT id FROM users WHERE tenant_id = $1");
/// ```
/// `RETURNING` without the tenant:
/// ```compile_fail
/// const BLIND: wardgate_store::Sql =
///     wardgate_store::sql!("DELETE FROM users WHERE tenant_id = $1 RETURNING id");
/// ```
/// An insertion into a tenant of the caller's choice:
/// ```compile_fail
/// const PLANT: wardgate_store::Sql =
///     wardgate_store::sql!("INSERT INTO users (tenant_id, id) VALUES ($2, $3)");
/// ```
/// A conflict with another tenant's row would overwrite it:
/// ```compile_fail
/// const OVERWRITE: wardgate_store::Sql = wardgate_store::sql!(
///     "INSERT INTO users (tenant_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = $3"
/// );
/// ```
/// `$10` is not `$1`:
/// ```compile_fail
/// const TENTH: wardgate_store::Sql =
///     wardgate_store::sql!("SELECT tenant_id, id FROM users WHERE tenant_id = $10");
/// ```
#[macro_export]
macro_rules! sql {
    ($text:expr $(,)?) => {{
        const WARDGATE_TEXT: &str = $text;
        const WARDGATE_SQLITE: &[u8; WARDGATE_TEXT.len()] = &$crate::question_marks(WARDGATE_TEXT);
        const WARDGATE_SQL: $crate::Sql = $crate::Sql::checked(WARDGATE_TEXT, WARDGATE_SQLITE);
        WARDGATE_SQL
    }};
}

/// A statement above tenants, for the few tables that have none and for sweeps over all tenants.
///
/// `$1` is the caller's first parameter. Only a [`GlobalTx`](crate::GlobalTx) takes it:
///
/// ```
/// use wardgate_store::{GlobalSql, global_sql};
///
/// const PURGE: GlobalSql = global_sql!("DELETE FROM sessions WHERE expires_at < $1");
/// ```
/// ```compile_fail
/// # use wardgate_store::{GlobalSql, StoreError, Tx, global_sql, params};
/// const PURGE: GlobalSql = global_sql!("DELETE FROM sessions WHERE expires_at < $1");
/// async fn purge(tx: &mut Tx) -> Result<u64, StoreError> {
///     tx.exec(PURGE, &params![0_i64]).await
/// }
/// ```
#[macro_export]
macro_rules! global_sql {
    ($text:expr $(,)?) => {{
        const WARDGATE_TEXT: &str = $text;
        const WARDGATE_SQLITE: &[u8; WARDGATE_TEXT.len()] = &$crate::question_marks(WARDGATE_TEXT);
        const WARDGATE_SQL: $crate::GlobalSql = $crate::GlobalSql::checked(WARDGATE_TEXT, WARDGATE_SQLITE);
        WARDGATE_SQL
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_alike() {
        const TEXT: GlobalSql = global_sql!("SELECT $2, 'é' WHERE a = $1 AND b = $12");
        assert_eq!(TEXT.0.postgres, "SELECT $2, 'é' WHERE a = $1 AND b = $12");
        assert_eq!(TEXT.0.sqlite, "SELECT ?2, 'é' WHERE a = ?1 AND b = ?12");
    }
}
