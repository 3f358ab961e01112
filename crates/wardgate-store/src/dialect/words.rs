//! The three type words that differ between the engines, in migrations only.

use super::Dialect;

/// Replaces `{id}`, `{bytes}` and `{time}`; any other word in braces is returned as the error.
///
/// `{time}` is `BIGINT` on both and stands for milliseconds since 1970: a word, so that a reader sees which
/// numbers are times.
pub(crate) fn fill_types(text: &str, dialect: Dialect) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or_else(|| String::from("{"))?;
        filled.push_str(before);
        filled.push_str(type_of(word, dialect).ok_or_else(|| format!("{{{word}}}"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn type_of(word: &str, dialect: Dialect) -> Option<&'static str> {
    match (word, dialect) {
        ("id" | "bytes", Dialect::Sqlite) => Some("BLOB"),
        ("id", Dialect::Postgres) => Some("UUID"),
        ("bytes", Dialect::Postgres) => Some("BYTEA"),
        ("time", _) => Some("BIGINT"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_types() {
        let text = "a {id}, b {bytes}, c {time}, d TEXT";
        assert_eq!(fill_types(text, Dialect::Sqlite).unwrap(), "a BLOB, b BLOB, c BIGINT, d TEXT");
        assert_eq!(fill_types(text, Dialect::Postgres).unwrap(), "a UUID, b BYTEA, c BIGINT, d TEXT");
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert_eq!(fill_types("a {uuid}", Dialect::Sqlite).unwrap_err(), "{uuid}");
        assert_eq!(fill_types("a {id", Dialect::Sqlite).unwrap_err(), "{");
    }
}
