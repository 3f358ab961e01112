//! The words that differ between the engines, in migrations only: three types, and how an index is built.

use super::Dialect;

/// Replaces `{id}`, `{bytes}`, `{time}` and `{concurrently}`; any other word in braces is returned as the error.
///
/// `{time}` is `BIGINT` on both and stands for milliseconds since 1970: a word, so that a reader sees which
/// numbers are times. SQLite has one writer anyway, so that nothing stands there for `{concurrently}`.
pub(crate) fn fill_words(text: &str, dialect: Dialect) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or_else(|| String::from("{"))?;
        filled.push_str(before);
        filled.push_str(meaning(word, dialect).ok_or_else(|| format!("{{{word}}}"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn meaning(word: &str, dialect: Dialect) -> Option<&'static str> {
    match (word, dialect) {
        ("id" | "bytes", Dialect::Sqlite) => Some("BLOB"),
        ("id", Dialect::Postgres) => Some("UUID"),
        ("bytes", Dialect::Postgres) => Some("BYTEA"),
        ("time", _) => Some("BIGINT"),
        ("concurrently", Dialect::Sqlite) => Some(""),
        ("concurrently", Dialect::Postgres) => Some("CONCURRENTLY"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_types() {
        let text = "a {id}, b {bytes}, c {time}, d TEXT";
        assert_eq!(fill_words(text, Dialect::Sqlite).unwrap(), "a BLOB, b BLOB, c BIGINT, d TEXT");
        assert_eq!(fill_words(text, Dialect::Postgres).unwrap(), "a UUID, b BYTEA, c BIGINT, d TEXT");
    }

    #[test]
    fn an_index_is_built_while_others_write() {
        let text = "CREATE INDEX {concurrently} a ON b (c)";
        assert_eq!(fill_words(text, Dialect::Sqlite).unwrap(), "CREATE INDEX  a ON b (c)");
        assert_eq!(fill_words(text, Dialect::Postgres).unwrap(), "CREATE INDEX CONCURRENTLY a ON b (c)");
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert_eq!(fill_words("a {uuid}", Dialect::Sqlite).unwrap_err(), "{uuid}");
        assert_eq!(fill_words("a {id", Dialect::Sqlite).unwrap_err(), "{");
    }
}
