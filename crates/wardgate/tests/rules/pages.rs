//! Pages written by hand: what they point to has to be there.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what others made.
const SKIPPED: &[&str] = &["target", ".venv", ".git", "node_modules"];

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

/// All files below `folder` whose name ends so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !SKIPPED.contains(&name) {
            found.extend(files(&path, extension));
        } else if name.ends_with(extension) {
            found.push(path);
        }
    }
    found
}

/// Where the page's links go, those to other sites and within the page left out.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

/// Numbers such as S-041; `RS-256` is none.
fn requirements(text: &str) -> Vec<&str> {
    let begins = |at: usize| !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
    let number =
        |at: usize| text.get(at..at + 5).filter(|name| name[2..].bytes().all(|b| b.is_ascii_digit()));
    text.match_indices("S-").filter(|(at, _)| begins(*at)).filter_map(|(at, _)| number(at)).collect()
}

#[test]
fn links_lead_to_files() {
    let mut dead = Vec::new();
    for file in files(&root(), ".md") {
        let page = fs::read_to_string(&file).unwrap();
        for target in links(&page) {
            let path = target.split('#').next().unwrap_or_default();
            if !file.with_file_name(path).exists() {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn every_requirement_that_code_names_is_listed() {
    let page = fs::read_to_string(root().join("docs/security-requirements.md")).unwrap();
    let mut unlisted = Vec::new();
    for file in files(&root().join("crates"), ".rs") {
        let text = fs::read_to_string(&file).unwrap();
        let unknown = requirements(&text).into_iter().filter(|name| !page.contains(&format!("| {name} |")));
        unlisted.extend(unknown.map(|name| format!("{}: {name}", file.display())));
    }
    assert_eq!(unlisted, Vec::<String>::new());
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

#[test]
fn links_and_requirements_are_found() {
    let page = "[a](b/c.md#d) [e](https://f) [g](#h)\n[i](../j)";
    assert_eq!(links(page).collect::<Vec<_>>(), ["b/c.md#d", "../j"]);
    // Put together here, so that the list need not have it.
    let text = ["(S-", "001) RS-256 S-", "9999 S-12"].concat();
    assert_eq!(requirements(&text), [["S-", "001"].concat(), ["S-", "999"].concat()]);
}
