//! Forward-only migrations: which are missing, and whether program and database fit together.

use std::collections::BTreeMap;

use aws_lc_rs::digest;

use crate::{Dialect, StoreError, dialect::fill_words};

/// One step of the schema: a text for both engines.
///
/// Types that differ are written as `{id}`, `{bytes}` and `{time}` (milliseconds since 1970); `BIGINT` and
/// `TEXT` stand as they are. Once released, a text never changes: its checksum is kept in the database.
///
/// `CREATE INDEX {concurrently} name ON …`, alone in its migration, builds the index of a table that others write to
/// meanwhile. PostgreSQL can do so in no transaction: what was cut short is built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Counts up from 1.
    pub version: u32,
    /// What it is about, for the operator.
    pub name: &'static str,
    /// Statements separated by semicolons.
    pub sql: &'static str,
}

/// A migration that [`Db::migrate`](crate::Db::migrate) has just applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its version.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
}

/// How the migrations of the program and of the database differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Those of the program that are not applied, in order.
    pub missing: Vec<Migration>,
    /// Versions in the database that the program does not know: it was migrated by a newer program.
    pub unknown: Vec<u32>,
}

impl Pending {
    /// Whether program and database are of one version.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }
}

pub(crate) const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
     version BIGINT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, \
     CONSTRAINT pk_schema_migrations__version PRIMARY KEY (version))";
pub(crate) const RECORDED: &str = "SELECT version, checksum FROM schema_migrations";

/// What the database says was applied: version → checksum.
pub(crate) type Recorded = BTreeMap<i64, String>;

impl Migration {
    /// SHA-256 of the text before its words are filled, so that it is one for both engines.
    pub(crate) fn checksum(&self) -> String {
        let sum = digest::digest(&digest::SHA256, self.sql.as_bytes());
        sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn filled(&self, dialect: Dialect) -> Result<String, StoreError> {
        fill_words(self.sql, dialect).map_err(|word| self.fault(format_args!("has an unknown word {word}")))
    }

    /// The index that is built while others write, if that is what it does.
    pub(crate) fn builds_concurrently(&self) -> Option<&'static str> {
        self.sql.split_once("{concurrently}")?.1.split_whitespace().next()
    }

    pub(crate) fn fault(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Migration(format!("{} ({}) {reason}", self.version, self.name))
    }

    pub(crate) fn applied(&self) -> Applied {
        Applied { version: self.version, name: self.name }
    }
}

/// Compares both lists; the only place that decides.
pub(crate) fn compare(known: &[Migration], recorded: &Recorded) -> Result<Pending, StoreError> {
    check_order(known)?;
    let mut pending = Pending::default();
    for migration in known {
        match recorded.get(&i64::from(migration.version)) {
            None => pending.missing.push(*migration),
            Some(checksum) if *checksum == migration.checksum() => {}
            Some(_) => return Err(migration.fault("was changed after it had been applied")),
        }
    }
    let is_known = |version: &i64| known.iter().any(|m| i64::from(m.version) == *version);
    let strange = recorded.keys().filter(|version| !is_known(version));
    pending.unknown = strange.map(|version| u32::try_from(*version).unwrap_or(u32::MAX)).collect();
    Ok(pending)
}

/// What is left to apply, if the database may be migrated by this program at all.
pub(crate) fn plan(known: &[Migration], recorded: &Recorded) -> Result<Vec<Migration>, StoreError> {
    let pending = compare(known, recorded)?;
    if let Some(version) = pending.unknown.first() {
        return Err(StoreError::Migration(format!(
            "{version} of the database is unknown here: it was migrated by a newer program; start that one, \
             or restore the backup from before"
        )));
    }
    let newest = recorded.keys().next_back().copied().unwrap_or(0);
    match pending.missing.iter().find(|migration| i64::from(migration.version) < newest) {
        Some(late) => Err(late.fault(format_args!("comes before {newest}, which is applied already"))),
        None => Ok(pending.missing),
    }
}

fn check_order(known: &[Migration]) -> Result<(), StoreError> {
    let fits = |pair: &[Migration]| pair[0].version < pair[1].version;
    match known.windows(2).find(|pair| !fits(pair)) {
        Some(pair) => Err(pair[1].fault(format_args!("follows {}: versions must rise", pair[0].version))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Migration = Migration { version: 1, name: "a", sql: "CREATE TABLE a (id {id})" };
    const B: Migration = Migration { version: 2, name: "b", sql: "CREATE TABLE b (id {id})" };

    fn recorded(migrations: &[Migration]) -> Recorded {
        migrations.iter().map(|m| (i64::from(m.version), m.checksum())).collect()
    }

    fn refusal(known: &[Migration], recorded: &Recorded) -> String {
        plan(known, recorded).unwrap_err().to_string()
    }

    #[test]
    fn only_the_missing_are_planned() {
        assert_eq!(plan(&[A, B], &recorded(&[])).unwrap(), [A, B]);
        assert_eq!(plan(&[A, B], &recorded(&[A])).unwrap(), [B]);
        assert!(compare(&[A, B], &recorded(&[A, B])).unwrap().is_empty());
    }

    #[test]
    fn a_changed_text_is_named() {
        let changed = Migration { sql: "CREATE TABLE a (id TEXT)", ..A };
        assert!(refusal(&[changed, B], &recorded(&[A])).contains("1 (a) was changed"));
    }

    #[test]
    fn a_newer_database_is_refused_but_can_be_looked_at() {
        assert!(refusal(&[A], &recorded(&[A, B])).contains("newer program"));
        assert_eq!(compare(&[A], &recorded(&[A, B])).unwrap().unknown, [2]);
    }

    #[test]
    fn disorder_is_refused() {
        assert!(refusal(&[B, A], &recorded(&[])).contains("must rise"));
        assert!(refusal(&[A, A], &recorded(&[])).contains("must rise"));
        assert!(refusal(&[A, B], &recorded(&[B])).contains("comes before 2"));
    }

    #[test]
    fn the_checksum_is_sha_256_in_hex() {
        let empty = Migration { sql: "", ..A };
        assert_eq!(empty.checksum(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
