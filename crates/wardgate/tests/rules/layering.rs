//! Who names whom, against the table in `layers.rs`. Each broken rule is printed with its file and line.

use std::collections::HashMap;

use crate::layers::{EXCEPTIONS, Layer};
use crate::source::{self, Named, Source};

/// The files of the library, as modules.
struct Modules<'a> {
    sources: &'a [Source],
    /// The features in the order in which they may use each other.
    order: Vec<&'a str>,
}

/// What a path leads to.
struct Target<'a> {
    file: &'a str,
    layer: Layer,
}

impl<'a> Modules<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let list = sources.iter().find(|source| source.path == "features/mod.rs");
        let words: Vec<&str> = list.into_iter().flat_map(Source::words).map(|(_, word)| word).collect();
        let order = words.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1]).collect();
        Self { sources, order }
    }

    /// The deepest module on the way to `segments`, and how many segments lead to it.
    fn module(&self, segments: &[String]) -> Option<(&'a Source, usize)> {
        (1..=segments.len()).rev().find_map(|length| {
            let path = segments[..length].join("/");
            let is_module = |source: &&Source| {
                source.path == format!("{path}.rs") || source.path == format!("{path}/mod.rs")
            };
            self.sources.iter().find(is_module).map(|source| (source, length))
        })
    }

    /// What an absolute path names; a feature's facade is looked through.
    fn target(&self, segments: &[String]) -> Option<Target<'a>> {
        let (source, length) = self.module(segments)?;
        let layer = Layer::of(&source.path)?;
        if layer != Layer::Facade {
            return Some(Target { file: &source.path, layer });
        }
        let name = segments.get(length).filter(|name| *name != "self");
        let Some(name) = name else {
            // The feature as a whole: its functions are its service's.
            return Some(Target { file: &source.path, layer: Layer::Service });
        };
        let exported = source.paths().into_iter().find(|named| named.local_name() == name);
        match exported {
            Some(export) => self.target(&[&segments[..length], &export.segments[..]].concat()),
            None => Some(Target { file: &source.path, layer: Layer::Model }),
        }
    }

    fn rank(&self, file: &str) -> Option<usize> {
        let feature = feature(file)?;
        self.order.iter().position(|known| *known == feature)
    }
}

fn feature(file: &str) -> Option<&str> {
    file.strip_prefix("features/")?.split_once('/').map(|(feature, _)| feature)
}

/// The module that a file is, as segments.
fn own_module(file: &str) -> Vec<String> {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod");
    name.split('/').map(str::to_owned).collect()
}

/// Paths as seen from the crate's root; those of other crates are left out.
fn absolute(source: &Source) -> Vec<Named> {
    let own = own_module(&source.path);
    let mut imported: HashMap<String, Vec<String>> = HashMap::new();
    let mut found = Vec::new();
    for mut named in source.paths() {
        let local_name = named.local_name().to_owned();
        let (first, rest) = (named.segments[0].clone(), named.segments[1..].to_vec());
        let base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => own.clone(),
            "super" => own[..own.len() - 1].to_vec(),
            imported_name => match imported.get(imported_name) {
                Some(base) => base.clone(),
                None => continue,
            },
        };
        named.segments = [base, rest].concat();
        imported.insert(local_name, named.segments.clone());
        found.push(named);
    }
    found
}

/// Every broken rule of these files.
fn faults(sources: &[Source]) -> Vec<String> {
    let modules = Modules::new(sources);
    let mut faults = Vec::new();
    for source in sources {
        let Some(layer) = Layer::of(&source.path) else {
            faults.push(format!("src/{}: has no row in the table; give it one in layers.rs", source.path));
            continue;
        };
        let mut fault =
            |line: usize, what: String| faults.push(format!("src/{}:{line}: {what}", source.path));
        for named in absolute(source) {
            if let Some(what) = broken_by(&modules, source, layer, &named) {
                fault(named.line, what);
            }
        }
        foreign_crates(source, layer, &mut fault);
        banned_words(source, layer, &mut fault);
    }
    faults
}

fn broken_by(modules: &Modules<'_>, source: &Source, layer: Layer, named: &Named) -> Option<String> {
    let path = named.segments.join("::");
    let Some(Target { file, layer: target }) = modules.target(&named.segments) else {
        return Some(format!("{path} leads to no file: name a thing where it lies, not its re-export"));
    };
    if layer.takes_the_handle() && named.segments.iter().take(2).eq(["gate", "Wardgate"]) {
        return None;
    }
    if !layer.may_use().contains(&target) {
        return Some(format!("{layer:?} may use {:?}, and names {path} ({target:?})", layer.may_use()));
    }
    let (own, other) = (feature(&source.path), feature(file));
    if target == Layer::Store && own != other {
        return Some(format!("names another feature's store: {path}"));
    }
    match (modules.rank(&source.path), modules.rank(file)) {
        (Some(own), Some(other)) if other > own => {
            Some(format!("uses a feature that is listed after its own in features/mod.rs: {path}"))
        }
        _ => None,
    }
}

fn foreign_crates(source: &Source, layer: Layer, fault: &mut impl FnMut(usize, String)) {
    // In a facade `http` is the feature's own module.
    let forbidden = if layer == Layer::Facade { Vec::new() } else { layer.forbidden_crates() };
    for named in source.paths() {
        let path = named.segments.join("::");
        let is_excepted = EXCEPTIONS.contains(&(source.path.as_str(), path.as_str()));
        if forbidden.contains(&named.segments[0].as_str()) && !is_excepted {
            fault(named.line, format!("{layer:?} must not name {path}"));
        }
    }
}

fn banned_words(source: &Source, layer: Layer, fault: &mut impl FnMut(usize, String)) {
    for (line, word) in source.words() {
        match word {
            "unsafe" => fault(line, "unsafe code".to_owned()),
            "SystemTime" | "Instant" if source.path != "ports/clock.rs" => {
                fault(line, format!("names {word}: time comes from the Clock port"));
            }
            "async" if matches!(layer, Layer::Kernel | Layer::Model) => {
                fault(line, format!("{layer:?} is pure: nothing to wait for"));
            }
            _ => {}
        }
    }
    if layer != Layer::Store {
        for (line, _) in [source.calls("sql"), source.calls("global_sql")].concat() {
            fault(line, "a statement outside store.rs".to_owned());
        }
    }
}

#[test]
fn imports_run_down_the_rows() {
    let faults = faults(&source::all());
    assert!(faults.is_empty(), "broken rules:\n{}", faults.join("\n"));
}

/// The faults of a small library with this file in it.
fn planted(path: &str, text: &str) -> Vec<String> {
    let mut sources = vec![
        Source::new("features/mod.rs", "pub(crate) mod users;\npub(crate) mod signin;"),
        Source::new("features/users/mod.rs", "mod model; pub use model::User; pub(crate) use service::find;"),
        Source::new("features/users/model.rs", "pub struct User;"),
        Source::new("features/users/store.rs", ""),
        Source::new("features/users/service.rs", ""),
        Source::new("features/users/http.rs", ""),
        Source::new("features/signin/mod.rs", "pub use service::SignIn as Flow;"),
        Source::new("features/signin/service.rs", ""),
        Source::new("gate.rs", ""),
        Source::new("kernel/time.rs", ""),
        Source::new("ports/mod.rs", ""),
        Source::new("web/body.rs", ""),
    ];
    sources.retain(|source| source.path != path);
    sources.push(Source::new(path, text));
    faults(&sources)
}

#[test]
fn what_the_table_allows_passes() {
    for (path, text) in [
        ("features/signin/service.rs", "use crate::features::users::{self, User};\nfn f() { users::find() }"),
        ("features/users/service.rs", "use super::store;\nuse crate::ports::Clock;\nfn f() { store::x() }"),
        (
            "features/users/http.rs",
            "use http::Method;\nuse crate::gate::Wardgate;\nuse crate::web::body::Json;",
        ),
        ("features/users/store.rs", "use super::model::User;\nconst A: Sql = sql!(\"SELECT 1\");"),
        (
            "features/users/model.rs",
            "// async: axum::Router\nconst A: &str = \"unsafe crate::gate::Wardgate\";",
        ),
        ("features/users/model.rs", "#[cfg(test)]\nmod tests { use crate::ports::ManualClock; }"),
        ("kernel/error.rs", "use wardgate_store::StoreError;"),
        ("ports/clock.rs", "use std::time::{Instant, SystemTime};"),
        ("builder.rs", "use crate::features::users;\nfn f() { users::http::routes() }"),
    ] {
        assert_eq!(planted(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn what_the_table_forbids_is_found_where_it_is() {
    for (path, text, line) in [
        ("kernel/time.rs", "\nuse crate::ports::Clock;", 2),
        ("kernel/time.rs", "use wardgate_store::Db;", 1),
        ("kernel/error.rs", "use wardgate_store::Tx;", 1),
        ("features/users/model.rs", "use crate::features::signin::Flow;", 1),
        ("features/users/model.rs", "use crate::features::users::find;", 1),
        ("features/users/model.rs", "pub async fn f() {}", 1),
        ("features/users/store.rs", "use crate::ports::Clock;", 1),
        ("features/users/store.rs", "use crate::features::users;", 1),
        ("features/users/service.rs", "\n\nuse crate::features::signin::Flow;", 3),
        ("features/users/service.rs", "use crate::features::{signin};", 1),
        ("features/users/service.rs", "fn f() { crate::web::body::read() }", 1),
        ("features/users/service.rs", "use crate::gate::Wardgate;", 1),
        ("features/users/service.rs", "use http::header::HOST;", 1),
        ("features/users/service.rs", "fn f() -> axum::Router { g() }", 1),
        ("features/users/service.rs", "const A: Sql = sql!(\"SELECT 1\");", 1),
        ("features/signin/service.rs", "use crate::features::users;\nfn f() { users::store::find() }", 2),
        ("features/signin/service.rs", "use crate::features::users;\nfn f() { users::http::me() }", 2),
        ("features/users/http.rs", "use super::store;", 1),
        ("features/users/http.rs", "use crate::gate::Inner;", 1),
        ("features/users/http.rs", "use wardgate_crypto::Digest;", 1),
        ("features/users/service.rs", "use crate::Wardgate;", 1),
        ("web/body.rs", "use crate::features::users::User;", 1),
        ("web/body.rs", "fn f() { unsafe { g() } }", 1),
        ("gate.rs", "fn f() { std::time::Instant::now() }", 1),
        ("gate.rs", "const A: GlobalSql = global_sql!(\"SELECT 1\");", 1),
    ] {
        let faults = planted(path, text);
        assert_eq!(faults.len(), 1, "{path}: {text}: {faults:?}");
        assert!(faults[0].starts_with(&format!("src/{path}:{line}: ")), "{faults:?}");
    }
    assert_eq!(planted("helpers.rs", "").len(), 1, "a file of no layer");
}
