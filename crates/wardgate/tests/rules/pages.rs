//! Pages written by hand: what they point to has to be there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between single backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// A file, and the function in it, of a text such as `web/body.rs` or `router.rs::layered`.
fn file_and_function(quote: &str) -> Option<(&str, Option<&str>)> {
    let (file, function) = quote.split_once("::").map_or((quote, None), |(file, name)| (file, Some(name)));
    let is_file = file.ends_with(".rs") && file.contains('/') || function.is_some() && file.ends_with(".rs");
    (is_file && !file.contains('*')).then_some((file, function))
}

fn missing(page: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for quote in quoted(page) {
        let Some((file, function)) = file_and_function(quote) else { continue };
        let below = if file.starts_with("crates/") { root() } else { root().join("crates/wardgate/src") };
        let text = fs::read_to_string(below.join(file)).unwrap_or_default();
        let has = |name: &str| ["<", "("].iter().any(|end| text.contains(&format!("fn {name}{end}")));
        if text.is_empty() || function.is_some_and(|name| !has(name)) {
            missing.push(quote.to_owned());
        }
    }
    missing
}

#[test]
fn the_map_names_files_and_functions_that_are_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(quoted(&page).filter_map(file_and_function).count() > 20, "the map names too little");
    assert_eq!(missing(&page), Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_missed() {
    let page = "`gate.rs` `model.rs` `web/*` `router.rs::layered` `web/body.rs` `router.rs::lay` `web/boby.rs` \
                `crates/wardgate-store/src/tx.rs` `authn/nobody.rs::f`";
    assert_eq!(missing(page), ["router.rs::lay", "web/boby.rs", "authn/nobody.rs::f"]);
}
