//! The paths that a source text names.

use super::tokens::{Token, tokens};

/// A path that leads, or may lead, to another module of the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// The number of modules within the file that enclose the path.
    pub(super) inner: usize,
    /// The name that a `use` declaration gives it in this file.
    pub(super) exported: Option<String>,
}

/// The imports and modules that a file declares.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) used: Vec<Used>,
    /// Its modules that are built only for tests.
    pub(super) tests: Vec<String>,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Reading {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        reading: Reading::default(),
        inner: Vec::new(),
        depth: 0,
    };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.reading
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    reading: Reading,
    /// The depths at which the enclosing modules within the file began.
    inner: Vec<usize>,
    depth: usize,
}

const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

impl<'t> Reader<'t> {
    fn peek(&self, ahead: usize) -> &'t str {
        let token = self.tokens.get(self.at + ahead);
        token.map_or("", |token| token.text)
    }

    fn step(&mut self) {
        if (0..TEST.len()).all(|ahead| self.peek(ahead) == TEST[ahead]) {
            self.at += TEST.len();
            return self.skip_item();
        }
        let before = self.at.checked_sub(1).map(|at| self.tokens[at].text);
        match self.peek(0) {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.inner.last() == Some(&self.depth) {
                    self.inner.pop();
                }
            }
            "mod" if self.peek(2) == "{" => self.inner.push(self.depth),
            "use" => {
                self.at += 1;
                self.tree(&mut Vec::new());
                return;
            }
            word if is_word(word) && self.peek(1) == "::" && before != Some("::") => {
                return self.path();
            }
            _ => {}
        }
        self.at += 1;
    }

    /// Skips an item that is built only for tests.
    fn skip_item(&mut self) {
        while self.peek(0) == "#" {
            self.at += 1;
            self.skip_brackets();
        }
        let declares = self.peek(0) == "use";
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "mod" if self.peek(2) == ";" => self.reading.tests.push(self.peek(1).to_owned()),
                ";" => {
                    self.at += 1;
                    return;
                }
                "{" if !declares => return self.skip_brackets(),
                "(" | "[" | "{" => {
                    self.skip_brackets();
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Skips everything from an opening bracket through its closing one.
    fn skip_brackets(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads a path that is written out.
    fn path(&mut self) {
        let mut path = Vec::new();
        let line = self.tokens[self.at].line;
        while is_word(self.peek(0)) {
            path.push(self.peek(0).to_owned());
            self.at += 1;
            if self.peek(0) != "::" {
                break;
            }
            self.at += 1;
        }
        self.note(path, line, None);
    }

    /// Reads what follows `use`, or a `::` or comma in it.
    fn tree(&mut self, before: &mut Vec<String>) {
        let length = before.len();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.peek(0) {
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.peek(0)) {
                        self.tree(before);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    break;
                }
                "*" => {
                    self.note(before.clone(), line, None);
                    self.at += 1;
                    break;
                }
                "::" => {} // At the beginning of a path: the path of another crate.
                word if is_word(word) => {
                    before.push(word.to_owned());
                    if self.peek(1) != "::" {
                        self.at += 1;
                        self.leaf(before, line);
                        break;
                    }
                    self.at += 1;
                }
                _ => break,
            }
            self.at += 1;
        }
        before.truncate(length);
    }

    /// Reads the end of a path in a `use` declaration, and the name after `as`, if any.
    fn leaf(&mut self, path: &[String], line: usize) {
        let mut path = path.to_vec();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if self.peek(0) == "as" {
            name = Some(self.peek(1).to_owned());
            self.at += 2;
        }
        self.note(path, line, name);
    }

    fn note(&mut self, path: Vec<String>, line: usize, exported: Option<String>) {
        let inner = self.inner.len();
        self.reading.used.push(Used {
            path,
            line,
            inner,
            exported,
        });
    }
}

fn is_word(text: &str) -> bool {
    let mut signs = text.chars();
    signs
        .next()
        .is_some_and(|sign| sign.is_alphabetic() || sign == '_')
}
