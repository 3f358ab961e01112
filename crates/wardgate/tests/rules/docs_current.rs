//! Pages that are made from code: this compares, and writes with `WARDGATE_UPDATE_DOCS=1`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use wardgate::PROBLEMS;

const INTRODUCTION: &str = "\
# Errors

This page is made from the table in `crates/wardgate/src/web/problem.rs`; `cargo test -p wardgate --test rules` compares
the two, and with `WARDGATE_UPDATE_DOCS=1` writes it anew.

Every refusal is a problem as of RFC 9457, `application/problem+json`, never cached:

```json
{
  \"type\": \"urn:wardgate:problem:invalid_fields\",
  \"title\": \"Invalid fields\",
  \"status\": 422,
  \"detail\": \"Some fields are not valid\",
  \"code\": \"invalid_fields\",
  \"errors\": [{ \"pointer\": \"#/email\", \"code\": \"…\", \"detail\": \"…\" }]
}
```

Decide by `code`: it never changes. `title` is for people and may be reworded; `detail` is where a FastAPI client looks, and
some errors put something more precise there than the table shows. `errors` is there for `invalid_fields` only and points to
each field (RFC 6901). A 401 has `WWW-Authenticate: Bearer` (RFC 6750), a 429 or 503 `Retry-After` in seconds. The header
`X-Request-Id` names the request in the server's log.

| status | code | title | detail | what to do |
|---|---|---|---|---|
";

fn errors_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for row in PROBLEMS {
        let cells = [row.title, row.detail, row.remedy].map(|text| text.replace('|', "\\|")).join(" | ");
        writeln!(page, "| {} | `{}` | {cells} |", row.status, row.code).unwrap();
    }
    page
}

fn compare(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("WARDGATE_UPDATE_DOCS").is_some() {
        fs::write(&file, expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected, "{path} is out of date: run the test once with WARDGATE_UPDATE_DOCS=1");
}

#[test]
fn the_page_of_errors_is_made_from_the_table() {
    compare("docs/errors.md", &errors_page());
}
