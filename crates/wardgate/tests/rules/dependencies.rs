//! What may be linked in: the bans of `deny.toml`, held against `Cargo.lock`, so that they need no other program.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Who names ring in `Cargo.lock`, where optional dependencies stand too, without building it. Were it in use, the
/// feature of rustls that does so would make rustls itself name it.
const NAMED_NOT_BUILT: &[(&str, &str)] = &[("quinn-proto", "ring"), ("rustls-webpki", "ring")];

/// Of a `Cargo.lock`, one line for each package.
struct Package<'a> {
    name: &'a str,
    dependencies: Vec<&'a str>,
}

fn packages(lock: &str) -> Vec<Package<'_>> {
    lock.split("[[package]]").filter_map(package).collect()
}

fn package(block: &str) -> Option<Package<'_>> {
    let name = block.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
    let dependencies = block.lines().filter_map(|line| line.strip_prefix(" \"")?.strip_suffix("\","));
    // Where two versions of it are there, the version stands behind the name.
    let dependencies = dependencies.filter_map(|text| text.split(' ').next()).collect();
    Some(Package { name, dependencies })
}

/// The crates of the list `deny`: those that may not be there at all, and those that may be there once.
fn bans(config: &str) -> (Vec<&str>, Vec<&str>) {
    let entries = config.lines().filter_map(|line| line.strip_prefix("  { crate = \"")?.split_once('"'));
    let (once, never): (Vec<_>, Vec<_>) = entries.partition(|(_, rest)| rest.contains("deny-multiple"));
    (names(&never), names(&once))
}

fn names<'a>(entries: &[(&'a str, &str)]) -> Vec<&'a str> {
    entries.iter().map(|(name, _)| *name).collect()
}

fn faults(config: &str, lock: &str) -> Vec<String> {
    let (never, once) = bans(config);
    let packages = packages(lock);
    let mut faults = Vec::new();
    for Package { name, dependencies } in &packages {
        let banned = dependencies.iter().filter(|wanted| never.contains(wanted));
        let built = banned.filter(|wanted| !NAMED_NOT_BUILT.contains(&(*name, **wanted)));
        faults.extend(built.map(|wanted| format!("{name} depends on {wanted}")));
    }
    let mut seen = HashSet::new();
    for Package { name, .. } in &packages {
        if !seen.insert(name) && once.contains(name) {
            faults.push(format!("there are two of {name}"));
        }
    }
    faults
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

#[test]
fn nothing_banned_is_depended_on() {
    let (config, lock) = (read("deny.toml"), read("Cargo.lock"));
    let (never, once) = bans(&config);
    assert!(never.contains(&"openssl") && once.contains(&"rustls"), "{never:?} {once:?}");
    assert!(packages(&lock).iter().any(|package| package.dependencies.contains(&"rustls")));
    assert_eq!(faults(&config, &lock), Vec::<String>::new());
}

#[test]
fn what_is_banned_is_found() {
    let config = "deny = [\n  { crate = \"ring\", reason = \"\" },\n  { crate = \"http\", deny-multiple-versions = true },\n]";
    let lock = "version = 4\n\
        [[package]]\nname = \"http\"\nversion = \"0.2.0\"\n\
        [[package]]\nname = \"http\"\nversion = \"1.0.0\"\n\
        [[package]]\nname = \"quinn-proto\"\ndependencies = [\n \"http 1.0.0\",\n \"ring\",\n]\n\
        [[package]]\nname = \"rustls\"\ndependencies = [\n \"http 0.2.0\",\n \"ring 0.17.0\",\n]\n";
    assert_eq!(faults(config, lock), ["rustls depends on ring", "there are two of http"]);
}
