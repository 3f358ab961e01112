//! Rust source as tokens: enough to find paths and string literals, blind to comments and to words in strings.

use std::iter::Peekable;
use std::str::Chars;

/// What stands in a source file, comments and layout left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word or number.
    Word(String),
    /// `::`.
    Path,
    /// The value of a string literal.
    Text(String),
    /// Any other character.
    Mark(char),
}

/// A token and the line it begins on.
pub(crate) type Placed = (usize, Token);

/// Reads a whole file.
pub(crate) fn read(text: &str) -> Vec<Placed> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, found: Vec::new() };
    while reader.step() {}
    reader.found
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    found: Vec<Placed>,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn take_if(&mut self, wanted: char) -> bool {
        self.rest.peek() == Some(&wanted) && self.take().is_some()
    }

    fn push(&mut self, line: usize, token: Token) {
        self.found.push((line, token));
    }

    fn step(&mut self) -> bool {
        let line = self.line;
        let Some(next) = self.take() else { return false };
        match next {
            '/' if self.take_if('/') => {
                while self.rest.peek().is_some_and(|c| *c != '\n') && self.take().is_some() {}
            }
            '/' if self.take_if('*') => self.skip_block_comment(),
            ':' if self.take_if(':') => self.push(line, Token::Path),
            '"' => self.string(line),
            '\'' => self.quote(),
            c if c.is_alphanumeric() || c == '_' => self.word(line, c),
            c if c.is_whitespace() => {}
            c => self.push(line, Token::Mark(c)),
        }
        true
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.take() {
                Some('/') if self.take_if('*') => depth += 1,
                Some('*') if self.take_if('/') => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn word(&mut self, line: usize, first: char) {
        let mut word = String::from(first);
        while let Some(next) = self.rest.peek().copied().filter(|c| c.is_alphanumeric() || *c == '_') {
            word.push(next);
            self.take();
        }
        let prefixes_string = matches!(word.as_str(), "r" | "b" | "br" | "c" | "cr");
        match self.rest.peek() {
            Some('#' | '"') if prefixes_string && word.contains('r') => self.raw_string(line),
            Some('"') if prefixes_string => drop(self.take().map(|_| self.string(line))),
            _ => self.push(line, Token::Word(word)),
        }
    }

    fn raw_string(&mut self, line: usize) {
        let mut hashes = 0;
        while self.take_if('#') {
            hashes += 1;
        }
        if !self.take_if('"') {
            // `r#type`: a raw name, read as the word that follows.
            return;
        }
        let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let mut text = String::new();
        while !text.ends_with(&end) {
            let Some(next) = self.take() else { break };
            text.push(next);
        }
        text.truncate(text.len().saturating_sub(end.len()));
        self.push(line, Token::Text(text));
    }

    fn string(&mut self, line: usize) {
        let mut text = String::new();
        loop {
            match self.take() {
                None | Some('"') => break,
                Some('\\') => self.escape(&mut text),
                Some(other) => text.push(other),
            }
        }
        self.push(line, Token::Text(text));
    }

    /// An escape's value where a statement could hold one; a line that goes on drops the indentation.
    fn escape(&mut self, text: &mut String) {
        match self.take() {
            Some('\n') => {
                while self.rest.peek().is_some_and(|c| c.is_whitespace()) && self.take().is_some() {}
            }
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some(other) => text.push(other),
            None => {}
        }
    }

    /// A character, or the mark of a lifetime: `'a'` against `'a`.
    fn quote(&mut self) {
        if self.take_if('\\') {
            self.take();
            while !self.take_if('\'') && self.take().is_some() {}
            return;
        }
        let mut ahead = self.rest.clone();
        if ahead.nth(1) == Some('\'') {
            self.take();
            self.take();
        }
    }
}

#[test]
fn comments_and_strings_hide_what_they_hold() {
    let text = "// axum::Router\n/* http:: /* nested */ */ let s = \"crate::a \\\"b\\\" \\\n      c\"; 'x' '\\'' &'static r#\"d\"e\"#";
    let words: Vec<_> = read(text).into_iter().map(|(_, token)| token).collect();
    let word = |text: &str| Token::Word(text.to_owned());
    let string = |text: &str| Token::Text(text.to_owned());
    let (mark, semicolon) = (Token::Mark('='), Token::Mark(';'));
    let expected = [
        word("let"),
        word("s"),
        mark,
        string("crate::a \"b\" c"),
        semicolon,
        Token::Mark('&'),
        word("static"),
        string("d\"e"),
    ];
    assert_eq!(words, expected);
}

#[test]
fn tokens_know_their_line() {
    let text = "use a::b;\n\nconst C: &str = \"one\ntwo\";\nuse d;";
    let found = read(text);
    let line =
        |wanted: &str| found.iter().find(|(_, token)| *token == Token::Word(wanted.to_owned())).unwrap().0;
    assert_eq!((line("a"), line("C"), line("d")), (1, 3, 5));
}
