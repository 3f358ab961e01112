//! The library's source files: where each lies, and what it names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tokens::{self, Placed, Token};

/// One file of `src`, without the unit tests at its foot.
#[derive(Debug)]
pub(crate) struct Source {
    /// Below `src`, with `/`.
    pub(crate) path: String,
    /// What stands in it.
    pub(crate) tokens: Vec<Placed>,
}

/// A path as it is written, such as `crate::kernel::error::AuthError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    alias: Option<String>,
}

impl Named {
    /// The name it goes by in this file: `self` stands for the module before it.
    pub(crate) fn local_name(&self) -> &str {
        let written = self.segments.iter().rfind(|segment| *segment != "self");
        self.alias.as_ref().or(written).map_or("", String::as_str)
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokens::read(text);
        while let Some(start) = tokens.windows(10).position(is_test_module) {
            let end = end_of_block(&tokens, start + 9);
            tokens.drain(start..end);
        }
        Self { path: path.to_owned(), tokens }
    }

    /// Every path of two segments or more; a tree of imports counts as one for each leaf.
    pub(crate) fn paths(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if matches!(self.tokens[at].1, Token::Word(_)) && self.is(at + 1, &Token::Path) {
                at = self.tree(at, &[], &mut found);
            } else {
                at += 1;
            }
        }
        found
    }

    /// Every lone or leading word, such as `unsafe`, or `sql` in `sql!`.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().filter_map(|(line, token)| match token {
            Token::Word(word) => Some((*line, word.as_str())),
            _ => None,
        })
    }

    /// The lines on which the macro is called, each with its argument where that is one string literal.
    pub(crate) fn calls(&self, name: &str) -> Vec<(usize, Option<String>)> {
        let is_call =
            |at: &usize| self.is(*at, &Token::Word(name.to_owned())) && self.is(at + 1, &Token::Mark('!'));
        let argument = |at: usize| match self.tokens.get(at + 3) {
            Some((_, Token::Text(text))) if self.is(at + 4, &Token::Mark(')')) => Some(text.clone()),
            _ => None,
        };
        (0..self.tokens.len()).filter(is_call).map(|at| (self.tokens[at].0, argument(at))).collect()
    }

    fn is(&self, at: usize, token: &Token) -> bool {
        self.tokens.get(at).is_some_and(|(_, found)| found == token)
    }

    /// Reads the path or tree at `at` behind `prefix`, and says where it ends.
    fn tree(&self, mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
        let mut segments = prefix.to_vec();
        let line = self.tokens.get(at).map_or(0, |(line, _)| *line);
        loop {
            match self.tokens.get(at).map(|(_, token)| token) {
                Some(Token::Word(word)) => segments.push(word.clone()),
                Some(Token::Mark('{')) => return self.branches(at + 1, &segments, found),
                Some(Token::Mark('*')) => {
                    at += 1;
                    break;
                }
                // The `<` of a turbofish.
                _ => break,
            }
            at += 1;
            if !self.is(at, &Token::Path) {
                break;
            }
            at += 1;
        }
        let is_renamed = self.is(at, &Token::Word("as".to_owned()));
        let alias = match self.tokens.get(at + 1) {
            Some((_, Token::Word(alias))) if is_renamed => Some(alias.clone()),
            _ => None,
        };
        at += if alias.is_some() { 2 } else { 0 };
        found.push(Named { line, segments, alias });
        at
    }

    fn branches(&self, mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
        while let Some((_, token)) = self.tokens.get(at) {
            match token {
                Token::Mark('}') => return at + 1,
                Token::Word(_) => at = self.tree(at, prefix, found),
                Token::Mark('*') => {
                    found.push(Named { line: self.tokens[at].0, segments: prefix.to_vec(), alias: None });
                    at += 1;
                }
                _ => at += 1,
            }
        }
        at
    }
}

/// `#[cfg(test)] mod tests {`.
fn is_test_module(window: &[Placed]) -> bool {
    let word = |text: &str| Token::Word(text.to_owned());
    let start = [
        Token::Mark('#'),
        Token::Mark('['),
        word("cfg"),
        Token::Mark('('),
        word("test"),
        Token::Mark(')'),
        Token::Mark(']'),
        word("mod"),
        word("tests"),
        Token::Mark('{'),
    ];
    window.iter().map(|(_, found)| found).eq(&start)
}

/// The place behind the brace that closes the one at `open`.
fn end_of_block(tokens: &[Placed], open: usize) -> usize {
    let mut depth = 0;
    for (at, (_, token)) in tokens.iter().enumerate().skip(open) {
        depth += i32::from(*token == Token::Mark('{')) - i32::from(*token == Token::Mark('}'));
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// All files of the library, in the order of their paths; modules of tests only are left out.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files
        .iter()
        .map(|file| (relative(&root, file), fs::read_to_string(file).unwrap()))
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .map(|(path, text)| Source::new(&path, &text))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn relative(root: &Path, file: &Path) -> String {
    let below = file.strip_prefix(root).unwrap();
    below.components().map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}

#[test]
fn a_tree_of_imports_is_one_path_for_each_leaf() {
    let text = "use crate::a::{self, b::{C, D as E}, f::*};\nfn g() -> h::I<j::K> { l::m::<n::O>() }\n\
                #[cfg(test)]\nmod tests { fn r() {} use p::q; }\nuse s::t;";
    let named = Source::new("x.rs", text).paths();
    let paths: Vec<_> = named.iter().map(|named| named.segments.join("::")).collect();
    let expected = [
        "crate::a::self",
        "crate::a::b::C",
        "crate::a::b::D",
        "crate::a::f",
        "h::I",
        "j::K",
        "l::m",
        "n::O",
        "s::t",
    ];
    assert_eq!(paths, expected);
    assert_eq!(named[0].local_name(), "a");
    assert_eq!(named[2].local_name(), "E");
}
