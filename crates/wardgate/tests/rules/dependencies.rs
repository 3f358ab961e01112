//! What may be linked in: the bans of `deny.toml`, held against `Cargo.lock`, so that they need no other program.

use std::fs;
use std::path::Path;

/// `Cargo.lock` also names what an optional feature of theirs would want; it is not built. That rustls itself asks
/// for ring is what its feature `ring` would show as.
const NAMED_BUT_NOT_BUILT: &[(&str, &str)] = &[("quinn-proto", "ring"), ("rustls-webpki", "ring")];

struct Package<'a> {
    name: &'a str,
    dependencies: Vec<&'a str>,
}

/// The packages of a `Cargo.lock`. A dependency is `"name"`, or `"name version"` where two versions are there.
fn packages(lock: &str) -> Vec<Package<'_>> {
    let quoted = |line: &'static str, text: &str| text.trim_start().starts_with(line);
    let between = |line: &'_ str| -> Option<(usize, usize)> {
        let begin = line.find('"')? + 1;
        Some((begin, begin + line[begin..].find('"')?))
    };
    let package = |block: &'_ str| block.lines().any(|line| quoted("name = ", line));
    lock.split("[[package]]")
        .filter(|block| package(block))
        .map(|block| {
            let text = |line: &'_ str| between(line);
            let name = block.lines().find(|line| line.starts_with("name = ")).unwrap();
            let (begin, end) = text(name).unwrap();
            let dependencies = block.lines().filter(|line| line.starts_with(" \""));
            Package {
                name: &name[begin..end],
                dependencies: dependencies
                    .map(|line| line.trim_matches([' ', '"', ',']).split(' ').next().unwrap())
                    .collect(),
            }
        })
        .collect()
}
