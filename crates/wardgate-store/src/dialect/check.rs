//! The rules of [`sql!`](crate::sql), in constant functions: breaking one is a compile error.
//!
//! This is no SQL parser. It reads words, and refuses a text it cannot vouch for; what a determined author
//! still smuggles past it meets the row guard when it runs.

const fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

const fn skip_space(sql: &[u8], mut at: usize) -> usize {
    while at < sql.len() && sql[at].is_ascii_whitespace() {
        at += 1;
    }
    at
}

const fn skip_name(sql: &[u8], mut at: usize) -> usize {
    while at < sql.len() && in_name(sql[at]) {
        at += 1;
    }
    at
}

/// The index of the last character before `at` that is not a space, plus one.
const fn back_over_space(sql: &[u8], mut at: usize) -> usize {
    while at > 0 && sql[at - 1].is_ascii_whitespace() {
        at -= 1;
    }
    at
}

const fn is_at(sql: &[u8], at: usize, symbol: u8) -> bool {
    at < sql.len() && sql[at] == symbol
}

/// Whether the whole word at `at` is `word`, in any case.
const fn word_at(sql: &[u8], at: usize, word: &[u8]) -> bool {
    let end = at + word.len();
    if end > sql.len() || (at > 0 && in_name(sql[at - 1])) || (end < sql.len() && in_name(sql[end])) {
        return false;
    }
    let mut offset = 0;
    while offset < word.len() {
        if !sql[at + offset].eq_ignore_ascii_case(&word[offset]) {
            return false;
        }
        offset += 1;
    }
    true
}

/// Whether the whole word that ends before `end` is `word`.
const fn word_before(sql: &[u8], end: usize, word: &[u8]) -> bool {
    end >= word.len() && word_at(sql, end - word.len(), word)
}

/// Whether `$1` and not `$10` stands at `at`.
const fn tenant_parameter_at(sql: &[u8], at: usize) -> bool {
    is_at(sql, at, b'$') && is_at(sql, at + 1, b'1') && !(at + 2 < sql.len() && in_name(sql[at + 2]))
}

/// What both kinds of statement keep to: one statement, placeholders by number, nothing hidden in comments.
pub(super) const fn common(sql: &[u8]) {
    let mut quoted = false;
    let mut at = 0;
    while at < sql.len() {
        let byte = sql[at];
        if byte == b'\'' {
            quoted = !quoted;
        }
        assert!(byte != b'?', "SQL: write placeholders as $1, not ?");
        if byte == b'$' {
            assert!(!quoted, "SQL: no $ inside a string literal");
            assert!(at + 1 < sql.len() && sql[at + 1].is_ascii_digit(), "SQL: $ must precede a number");
            assert!(sql[at + 1] != b'0', "SQL: placeholders count from $1");
        }
        if !quoted {
            assert!(byte != b';', "SQL: one statement without a semicolon");
            assert!(!(byte == b'-' && is_at(sql, at + 1, b'-')), "SQL: no comments in the text");
            assert!(!(byte == b'/' && is_at(sql, at + 1, b'*')), "SQL: no comments in the text");
        }
        at += 1;
    }
    assert!(!quoted, "SQL: a string literal is not closed");
}

/// What a statement inside a tenant keeps to besides.
pub(super) const fn tenant(sql: &[u8]) {
    let start = skip_space(sql, 0);
    assert!(
        demands_tenant(sql) || inserts_tenant(sql, start),
        "SQL: demand `tenant_id = $1`, or insert `(tenant_id, …)` with $1 as its first value"
    );
    assert!(!overwrites_strangers(sql, start), "SQL: DO UPDATE needs ON CONFLICT (tenant_id, …)");
    if word_at(sql, start, b"SELECT") {
        assert!(tenant_column_at(sql, start + 6), "SQL: SELECT tenant_id first");
    }
    let mut at = start;
    while at < sql.len() {
        if word_at(sql, at, b"RETURNING") {
            assert!(tenant_column_at(sql, at + 9), "SQL: RETURNING begins with tenant_id");
        }
        at += 1;
    }
}

/// Whether the statement begins with a word that changes rows.
pub(super) const fn changes(sql: &[u8]) -> bool {
    let start = skip_space(sql, 0);
    word_at(sql, start, b"INSERT") || word_at(sql, start, b"UPDATE") || word_at(sql, start, b"DELETE")
}

/// Whether a condition `tenant_id = $1` stands somewhere, rather than an assignment or an alternative.
const fn demands_tenant(sql: &[u8]) -> bool {
    let mut at = 0;
    while at < sql.len() {
        if word_at(sql, at, b"tenant_id") && compares_with_tenant(sql, at + 9) && in_condition(sql, at) {
            return true;
        }
        at += 1;
    }
    false
}

const fn compares_with_tenant(sql: &[u8], after_column: usize) -> bool {
    let equals = skip_space(sql, after_column);
    is_at(sql, equals, b'=') && tenant_parameter_at(sql, skip_space(sql, equals + 1))
}

const fn in_condition(sql: &[u8], column: usize) -> bool {
    let mut start = column;
    if start > 0 && sql[start - 1] == b'.' {
        start -= 1;
        while start > 0 && in_name(sql[start - 1]) {
            start -= 1;
        }
    }
    let end = back_over_space(sql, start);
    word_before(sql, end, b"WHERE")
        || word_before(sql, end, b"AND")
        || word_before(sql, end, b"ON")
        || (end > 0 && sql[end - 1] == b'(')
}

/// Whether `INSERT INTO t (tenant_id, …) VALUES ($1, …` or `… SELECT $1, …` begins at `start`.
const fn inserts_tenant(sql: &[u8], start: usize) -> bool {
    if !word_at(sql, start, b"INSERT") {
        return false;
    }
    let open = find(sql, start, b'(');
    if !word_at(sql, skip_space(sql, open + 1), b"tenant_id") {
        return false;
    }
    let source = skip_space(sql, find(sql, open, b')') + 1);
    if word_at(sql, source, b"VALUES") {
        return each_row_begins_with_tenant(sql, source + 6);
    }
    word_at(sql, source, b"SELECT") && tenant_parameter_at(sql, skip_space(sql, source + 6))
}

/// Whether every row of `VALUES ($1, …), ($1, …)` names the tenant.
const fn each_row_begins_with_tenant(sql: &[u8], mut at: usize) -> bool {
    loop {
        at = skip_space(sql, at);
        if !(is_at(sql, at, b'(') && tenant_parameter_at(sql, skip_space(sql, at + 1))) {
            return false;
        }
        at = skip_space(sql, closing(sql, at) + 1);
        if !is_at(sql, at, b',') {
            return true;
        }
        at += 1;
    }
}

/// The index of the parenthesis that closes the one at `at`.
const fn closing(sql: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    let mut quoted = false;
    while at < sql.len() {
        match sql[at] {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        at += 1;
    }
    at
}

/// Whether `ON CONFLICT … DO UPDATE` can hit the row of another tenant, because its key holds no tenant.
const fn overwrites_strangers(sql: &[u8], start: usize) -> bool {
    let mut keyed_by_tenant = false;
    let mut at = start;
    while at < sql.len() {
        if word_at(sql, at, b"CONFLICT") {
            let open = skip_space(sql, at + 8);
            keyed_by_tenant = is_at(sql, open, b'(') && word_at(sql, skip_space(sql, open + 1), b"tenant_id");
        }
        if word_at(sql, at, b"DO") && word_at(sql, skip_space(sql, at + 2), b"UPDATE") && !keyed_by_tenant {
            return true;
        }
        at += 1;
    }
    false
}

const fn find(sql: &[u8], mut at: usize, symbol: u8) -> usize {
    while at < sql.len() && sql[at] != symbol {
        at += 1;
    }
    at
}

/// Whether the first column after `at` is `tenant_id` or `x.tenant_id`, alone.
const fn tenant_column_at(sql: &[u8], at: usize) -> bool {
    let mut column = skip_space(sql, at);
    let end = skip_name(sql, column);
    if is_at(sql, end, b'.') {
        column = end + 1;
    }
    if !word_at(sql, column, b"tenant_id") {
        return false;
    }
    let next = skip_space(sql, column + 9);
    next >= sql.len() || sql[next] == b',' || word_at(sql, next, b"FROM")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(sql: &str) -> bool {
        std::panic::catch_unwind(|| {
            common(sql.as_bytes());
            tenant(sql.as_bytes());
        })
        .is_ok()
    }

    #[test]
    fn statements_of_a_tenant_pass() {
        for sql in [
            "SELECT tenant_id FROM t WHERE tenant_id = $1",
            "select  t.tenant_id ,\n a from t where a = $2 and t.tenant_id=$1",
            "SELECT tenant_id, a FROM t WHERE (tenant_id = $1) AND a = 'x;?'".replace('?', "--").as_str(),
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2)",
            "INSERT INTO t (tenant_id, a) VALUES ($1, lower($2)), ( $1, '(') ON CONFLICT DO NOTHING",
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2) ON CONFLICT (tenant_id, a) DO UPDATE SET a = excluded.a",
            "INSERT INTO t ( tenant_id ) SELECT $1 FROM u WHERE u.a = $2 ON CONFLICT DO NOTHING",
            "INSERT INTO t (tenant_id, a) SELECT tenant_id, a FROM u WHERE tenant_id = $1",
            "WITH x AS (SELECT a FROM t WHERE tenant_id = $1) SELECT tenant_id, a FROM x",
            "DELETE FROM t WHERE tenant_id = $1 RETURNING tenant_id",
            "UPDATE t SET a = $2 WHERE tenant_id = $1 AND b = 'it''s' RETURNING t.tenant_id, a",
        ] {
            assert!(accepted(sql), "{sql}");
        }
    }

    #[test]
    fn statements_without_a_sure_tenant_fail() {
        for sql in [
            "SELECT tenant_id, a FROM t",
            "SELECT tenant_id, a FROM t WHERE tenant_id = $2",
            "SELECT tenant_id, a FROM t WHERE tenant_id = $11",
            "SELECT tenant_id, a FROM t WHERE sub_tenant_id = $1",
            "SELECT tenant_id, a FROM t WHERE tenant_id_old = $1",
            "SELECT tenant_id, a FROM t WHERE NOT tenant_id = $1",
            "SELECT tenant_id, a FROM t WHERE a = $2 OR tenant_id = $1",
            "SELECT a, tenant_id FROM t WHERE tenant_id = $1",
            "SELECT tenant_id + 1 FROM t WHERE tenant_id = $1",
            "SELECT $1, a FROM t WHERE tenant_id = $1",
            "UPDATE t SET tenant_id = $1 WHERE a = $2",
            "UPDATE t SET a = $2, tenant_id = $1 WHERE a = $3",
            "DELETE FROM t WHERE tenant_id = $1 RETURNING a",
            "INSERT INTO t (a, tenant_id) VALUES ($2, $1)",
            "INSERT INTO t (tenant_id, a) VALUES ($2, $1)",
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2) RETURNING a",
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2), ($3, $4)",
            "INSERT INTO t (tenant_id, a) VALUES ($1, ')'), ($3, $4)",
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
            "INSERT INTO t (tenant_id, a) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT uq_t__a DO UPDATE SET a = $3",
            "INSERT INTO t VALUES ($1, $2)",
            "WITH x AS (SELECT a FROM t) SELECT tenant_id, a FROM x",
        ] {
            assert!(!accepted(sql), "{sql}");
        }
    }

    #[test]
    fn hidden_or_unclear_texts_fail() {
        for sql in [
            "SELECT tenant_id FROM t -- WHERE tenant_id = $1",
            "SELECT tenant_id FROM t /* WHERE tenant_id = $1 */",
            "SELECT tenant_id FROM t WHERE a = 'AND tenant_id = $1'",
            "SELECT tenant_id FROM t WHERE tenant_id = $1; DELETE FROM t",
            "SELECT tenant_id FROM t WHERE tenant_id = $1 AND a = ?2",
            "SELECT tenant_id FROM t WHERE tenant_id = $1 AND a = $name",
            "SELECT tenant_id FROM t WHERE tenant_id = $1 AND a = $0",
            "SELECT tenant_id FROM t WHERE tenant_id = $1 AND a = 'x",
        ] {
            assert!(!accepted(sql), "{sql}");
        }
    }
}
