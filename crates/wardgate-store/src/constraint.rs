//! One name for a broken rule of the schema, whichever engine reports it.
//!
//! PostgreSQL tells the name of the constraint, SQLite the columns. Both become the same value because the
//! migrations name constraints after what they hold: `uq_<table>__<column>__<column>`, and likewise `pk_`
//! and `ck_`. `tenant_id` belongs to nearly every key, so it is left out of the name and of the columns.

use std::fmt;

/// The kind of rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// `UNIQUE`, as a constraint or an index.
    Unique,
    /// `PRIMARY KEY`.
    PrimaryKey,
    /// `REFERENCES`. SQLite does not say which, so table and columns are empty on both engines.
    ForeignKey,
    /// `NOT NULL`.
    NotNull,
    /// `CHECK`, named `ck_<table>__<columns>`.
    Check,
}

/// A rule of the schema that refused a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Which kind of rule it is.
    pub kind: ConstraintKind,
    /// The table that holds the rule; empty for a foreign key.
    pub table: String,
    /// The columns of the rule without `tenant_id`; empty for a foreign key.
    pub columns: Vec<String>,
}

impl Constraint {
    /// Whether a second row with the same `columns` of `table` was refused (`UNIQUE` or `PRIMARY KEY`).
    ///
    /// The order of `columns` is irrelevant, and `tenant_id` is not to be named.
    ///
    /// ```
    /// # use wardgate_store::{Constraint, ConstraintKind};
    /// # let taken = Constraint { kind: ConstraintKind::Unique, table: "users".into(), columns: vec!["email".into()] };
    /// assert!(taken.is("users", &["email"]));
    /// assert!(!taken.is("users", &["name"]));
    /// ```
    pub fn is(&self, table: &str, columns: &[&str]) -> bool {
        let uniqueness = matches!(self.kind, ConstraintKind::Unique | ConstraintKind::PrimaryKey);
        uniqueness
            && self.table == table
            && self.columns.len() == columns.len()
            && columns.iter().all(|wanted| self.columns.iter().any(|have| have == wanted))
    }

    /// Whether a reference to or from another row was refused.
    pub fn is_foreign_key(&self) -> bool {
        self.kind == ConstraintKind::ForeignKey
    }

    pub(crate) fn foreign_key() -> Self {
        Self { kind: ConstraintKind::ForeignKey, table: String::new(), columns: Vec::new() }
    }

    pub(crate) fn new<'c>(
        kind: ConstraintKind,
        table: &str,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Self {
        let columns = columns.into_iter().filter(|c| *c != "tenant_id").map(str::to_owned).collect();
        Self { kind, table: table.to_owned(), columns }
    }

    /// Reads `uq_users__email`. A name outside the convention becomes the table, so that the log shows it.
    pub(crate) fn from_name(kind: ConstraintKind, name: &str) -> Self {
        let bare = ["uq_", "pk_", "ck_"].iter().find_map(|prefix| name.strip_prefix(prefix));
        let mut words = bare.unwrap_or(name).split("__");
        let table = words.next().unwrap_or_default();
        Self::new(kind, table, words)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.kind {
            ConstraintKind::Unique => "unique",
            ConstraintKind::PrimaryKey => "primary key",
            ConstraintKind::ForeignKey => "foreign key",
            ConstraintKind::NotNull => "not null",
            ConstraintKind::Check => "check",
        };
        write!(f, "{rule} constraint refused the change: {}({})", self.table, self.columns.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_table_and_columns() {
        let constraint = Constraint::from_name(ConstraintKind::Unique, "uq_api_keys__owner_id__name");
        assert_eq!(constraint.table, "api_keys");
        assert_eq!(constraint.columns, ["owner_id", "name"]);
        assert!(constraint.is("api_keys", &["name", "owner_id"]));
        assert!(!constraint.is("api_keys", &["name"]));
        assert!(!constraint.is("keys", &["name", "owner_id"]));
    }

    #[test]
    fn the_tenant_is_left_out() {
        let constraint = Constraint::new(ConstraintKind::PrimaryKey, "users", ["tenant_id", "id"]);
        assert!(constraint.is("users", &["id"]));
        let named = Constraint::from_name(ConstraintKind::PrimaryKey, "pk_users__tenant_id__id");
        assert_eq!(named, constraint);
    }

    #[test]
    fn only_uniqueness_means_taken() {
        let missing = Constraint::new(ConstraintKind::NotNull, "users", ["email"]);
        assert!(!missing.is("users", &["email"]));
        assert!(!Constraint::foreign_key().is("", &[]));
        assert!(Constraint::foreign_key().is_foreign_key());
    }

    #[test]
    fn a_foreign_name_is_kept() {
        assert_eq!(Constraint::from_name(ConstraintKind::Check, "users_check").table, "users_check");
    }
}
