//! Steps of the schema that are made while the program of the version before serves: no step may lock a table for long,
//! and none may take away what that program uses (S-154).

use std::collections::HashSet;

use wardgate::MIGRATIONS;

/// The last of those that ran before there was a release to upgrade from.
const BEFORE_ANYBODY: u32 = 19;

#[test]
fn every_step_can_be_made_while_the_version_before_serves() {
    let steps = MIGRATIONS.iter().filter(|step| step.version > BEFORE_ANYBODY);
    let faults: Vec<String> = steps
        .flat_map(|step| faults(step.sql).into_iter().map(move |fault| format!("{}: {fault}", step.name)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The statements without comments, each on one line.
fn statements(sql: &str) -> Vec<String> {
    let bare: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    bare.join("\n").split(';').map(one_line).filter(|text| !text.is_empty()).collect()
}

fn faults(sql: &str) -> Vec<String> {
    let all = statements(sql);
    let made: HashSet<&str> = all.iter().filter_map(|text| new_table(text)).map(|(name, _)| name).collect();
    let judged = all.iter().filter_map(|text| {
        let fault = fault(text, &made, all.len() == 1)?;
        Some(format!("{fault}\n    {text}"))
    });
    judged.collect()
}

/// Name and body.
fn new_table(statement: &str) -> Option<(&str, &str)> {
    statement.strip_prefix("CREATE TABLE ")?.split_once(" (")
}

fn fault(statement: &str, made: &HashSet<&str>, alone: bool) -> Option<&'static str> {
    if let Some((_, body)) = new_table(statement) {
        return foreign_keys_hold_up(body, made)
            .then_some("deletes of the version before would fail at it: ON DELETE CASCADE");
    }
    if let Some(rest) =
        statement.strip_prefix("CREATE INDEX ").or(statement.strip_prefix("CREATE UNIQUE INDEX "))
    {
        let table = rest.split_once(" ON ").and_then(|(_, on)| on.split([' ', '(']).next());
        let concurrently = rest.starts_with("{concurrently} ");
        return match table.is_some_and(|table| made.contains(table)) {
            true => None,
            false if concurrently && alone => None,
            false => Some(
                "nobody could write to the table meanwhile: CREATE INDEX {concurrently}, in a file of its own",
            ),
        };
    }
    let column = statement.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" ADD COLUMN "));
    match column {
        Some((_, column)) if is_cheap(column) => None,
        Some(_) => Some("it goes through the whole table: a column may be NULL or have a constant DEFAULT"),
        None => Some(
            "the version before still uses what it changes, or it goes through a whole table: new columns and tables, \
             filled by the program 500 rows a transaction; taken away when no version in use knows the old",
        ),
    }
}

/// Whether rows of a new table keep the version before from deleting what they refer to. It deletes no tenants that have
/// rows it does not know of: that is done by the new version.
fn foreign_keys_hold_up(body: &str, made: &HashSet<&str>) -> bool {
    body.split("REFERENCES ").skip(1).any(|target| {
        let table = target.split([' ', '(']).next().unwrap_or_default();
        let rest = target.split("CONSTRAINT ").next().unwrap_or_default();
        table != "tenants" && !made.contains(table) && !rest.contains("ON DELETE CASCADE")
    })
}

/// A name, a type, and at most NOT NULL and a constant default, which both engines keep beside the table.
fn is_cheap(column: &str) -> bool {
    let Some((_, rest)) = column.split_once(' ') else { return false };
    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let default = match rest.trim_start_matches("NOT NULL").trim_start() {
        "" => return !kind.contains('(') && !rest.contains("NOT NULL"),
        rest => rest.strip_prefix("DEFAULT ").unwrap_or_default(),
    };
    let default = default.strip_suffix(" NOT NULL").unwrap_or(default);
    let text = default.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    default.parse::<i64>().is_ok() || text.is_some_and(|text| !text.contains('\''))
}

#[test]
fn what_can_be_done_meanwhile_is_let_through() {
    let fine = [
        "ALTER TABLE users ADD COLUMN nickname TEXT;",
        "ALTER TABLE users ADD COLUMN seen_at {time}; ALTER TABLE users ADD COLUMN n BIGINT NOT NULL DEFAULT 0;",
        "ALTER TABLE users ADD COLUMN kind TEXT DEFAULT 'a b' NOT NULL;",
        "-- ALTER TABLE users DROP COLUMN name;\nCREATE TABLE a (id {id},\n  CONSTRAINT f FOREIGN KEY (x) REFERENCES users (id) ON DELETE CASCADE,\n  \
         CONSTRAINT g FOREIGN KEY (t) REFERENCES tenants (id)); CREATE INDEX ix_a ON a (id); CREATE TABLE b (a {id} REFERENCES a (id));",
        "CREATE INDEX {concurrently} ix_users__nickname ON users (tenant_id, nickname);",
        "CREATE UNIQUE INDEX {concurrently} uq_users__nickname ON users (tenant_id, nickname);",
    ];
    for sql in fine {
        assert_eq!(faults(sql), Vec::<String>::new());
    }
}

#[test]
fn what_locks_rewrites_or_takes_away_is_refused() {
    let index = "CREATE INDEX ix_users__nickname ON users (tenant_id, nickname)";
    let table = [
        ("ALTER TABLE users ADD COLUMN n BIGINT NOT NULL", "constant DEFAULT"),
        ("ALTER TABLE users ADD COLUMN n BIGINT DEFAULT (random())", "constant DEFAULT"),
        ("ALTER TABLE users ADD COLUMN n BIGINT NOT NULL DEFAULT floor(random())", "constant DEFAULT"),
        ("ALTER TABLE users ADD COLUMN n {id} REFERENCES a (id)", "constant DEFAULT"),
        ("ALTER TABLE users ADD COLUMN n BIGINT UNIQUE", "constant DEFAULT"),
        ("ALTER TABLE users ADD COLUMN n BIGINT CHECK (n > 0)", "constant DEFAULT"),
        ("ALTER TABLE users DROP COLUMN name", "still uses"),
        ("ALTER TABLE users RENAME COLUMN name TO title", "still uses"),
        ("ALTER TABLE users ADD CONSTRAINT c CHECK (n > 0)", "still uses"),
        ("DROP TABLE users", "still uses"),
        ("DROP INDEX ix_users__created_at", "still uses"),
        ("UPDATE users SET name = ''", "500 rows"),
        ("CREATE TABLE a AS SELECT 1", "whole table"),
        (index, "{concurrently}"),
        ("CREATE UNIQUE INDEX uq_users__nickname ON users (tenant_id, nickname)", "{concurrently}"),
        (
            "CREATE INDEX {concurrently} a ON users (a); CREATE INDEX {concurrently} b ON users (b)",
            "file of its own",
        ),
        ("CREATE TABLE a (u {id}, CONSTRAINT f FOREIGN KEY (u) REFERENCES users (id))", "CASCADE"),
    ];
    for (sql, reason) in table {
        let found = faults(sql);
        assert!(found.first().is_some_and(|fault| fault.contains(reason)), "{sql}: {found:?}");
    }
}
