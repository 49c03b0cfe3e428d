//! The tree into which all formats are parsed. Every key and value in it knows its place, so that an error can name the
//! place whatever the format, even after several files have been merged into one version.

mod access;
mod de;
mod env;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

use std::collections::HashMap;
use std::path::Path;

pub(crate) use de::{Mismatch, deserialize};
pub(crate) use env::Overlay;

use crate::error::{Error, ErrorKind, Invalid};
use crate::sources::SourceFile;

/// The largest depth of a tree. A deeper one is no sensible configuration, and could overflow the stack.
#[cfg(any(feature = "toml", feature = "json", feature = "yaml"))]
const MAX_DEPTH: usize = 100;

/// A place in one of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: Source,
    /// The offset in bytes from the start of the text, or `None` for the source as a whole.
    pub(crate) offset: Option<u32>,
}

/// The source of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The number of the file.
    File(u32),
    /// The number of the environment variable in the overlay.
    Variable(u32),
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Option<Place>,
    pub(crate) value: Value,
}

// Not every format has all of these variants.
#[cfg_attr(not(all(feature = "toml", feature = "json")), allow(dead_code))]
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    /// A date or time of TOML, as it was written.
    DateTime(String),
    /// The text of an environment variable. The type that is wanted decides how it is parsed.
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key, its place, and the value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Option<Place>,
    pub(crate) node: Node,
}

/// The way in which lists of several files are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    Replace,
    Append,
}

/// A mistake in a text, and its offset in bytes.
pub(crate) struct SyntaxError {
    pub(crate) offset: Option<usize>,
    pub(crate) reason: String,
}

impl Node {
    fn empty() -> Self {
        Node {
            place: None,
            value: Value::Table(Vec::new()),
        }
    }

    fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }

    /// Returns whether this is a table without entries, as an empty file is.
    fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Table(entries) if entries.is_empty())
    }

    /// Merges a later file into this one. Tables are merged key by key, and any other value replaces the earlier one.
    fn merge(&mut self, later: Node, lists: Lists) {
        match (&mut self.value, later.value) {
            (Value::Table(entries), Value::Table(more)) => merge_tables(entries, more, lists),
            (Value::List(items), Value::List(more)) if lists == Lists::Append => items.extend(more),
            (value, other) => {
                *value = other;
                self.place = later.place;
            }
        }
    }

    /// Returns the value of a key such as `route[3].weight`, or the deepest value on the way to it that exists.
    fn find(&self, key: &str) -> &Node {
        let mut node = self;
        for part in key.split(['.', '[']) {
            let next = match (&node.value, part.strip_suffix(']')) {
                (Value::List(items), Some(index)) => {
                    index.parse().ok().and_then(|n: usize| items.get(n))
                }
                (Value::Table(entries), None) => {
                    let entry = entries.iter().find(|entry| entry.key == part);
                    entry.map(|entry| &entry.node)
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

fn merge_tables(entries: &mut Vec<Entry>, more: Vec<Entry>, lists: Lists) {
    let known: HashMap<String, usize> = (entries.iter().enumerate())
        .map(|(index, entry)| (entry.key.clone(), index))
        .collect();
    for entry in more {
        match known.get(&entry.key) {
            Some(&index) => {
                entries[index].place = entry.place;
                entries[index].node.merge(entry.node, lists);
            }
            None => entries.push(entry),
        }
    }
}

/// Returns whether files of this name are read from directories.
pub(crate) fn is_known(extension: &str) -> bool {
    matches!(
        (
            extension,
            cfg!(feature = "toml"),
            cfg!(feature = "json"),
            cfg!(feature = "yaml")
        ),
        ("toml", true, _, _) | ("json", _, true, _) | ("yaml" | "yml", _, _, true)
    )
}

/// Parses all files into one tree.
pub(crate) fn parse(files: &[SourceFile], lists: Lists) -> Result<Node, Error> {
    let mut tree: Option<Node> = None;
    for (number, file) in (0..).zip(files) {
        let parsed = parse_file(file, number)?;
        match &mut tree {
            None => tree = Some(parsed),
            Some(tree) if tree.is_table() != parsed.is_table() && !parsed.is_empty() => {
                if !tree.is_empty() {
                    return Err(differs(&parsed, file));
                }
                *tree = parsed;
            }
            Some(tree) => tree.merge(parsed, lists),
        }
    }
    Ok(tree.unwrap_or_else(Node::empty))
}

/// Returns the error of a file that cannot be merged with those before, which would be dropped without a word.
fn differs(parsed: &Node, file: &SourceFile) -> Error {
    let reason = match parsed.is_table() {
        true => "this file has keys, and those before have none",
        false => "this file has no keys, and those before do",
    };
    let offset = parsed.place.and_then(|place| place.offset).unwrap_or(0);
    let error = Error::new(ErrorKind::Type, reason).in_file(file.path());
    error.at_offset(file.text(), offset as usize)
}

fn parse_file(file: &SourceFile, number: u32) -> Result<Node, Error> {
    let source = Source::File(number);
    // Offsets are kept in 32 bits.
    if u32::try_from(file.text().len()).is_err() {
        return Err(
            Error::new(ErrorKind::Unreadable, "it is larger than 4 GiB").in_file(file.path())
        );
    }
    let extension = extension(file.path());
    let Some(parsed) = parse_as(extension.as_deref().unwrap_or(""), file.text(), source) else {
        let reason = match extension {
            Some(other) => format!(
                "no format for the extension `{other}`: is a feature of urcu-reload missing, or a parser?"
            ),
            None => "no format for a file without an extension: a parser is needed".into(),
        };
        return Err(Error::new(ErrorKind::Syntax, reason).in_file(file.path()));
    };
    parsed.map_err(|error| {
        let reason = error.reason.trim().replace('\n', ", ");
        let told = Error::new(ErrorKind::Syntax, reason).in_file(file.path());
        match error.offset {
            Some(offset) => told.at_offset(file.text(), offset),
            None => told,
        }
    })
}

/// Parses a text in the format of a file extension. Returns `None` if there is no such format.
#[cfg_attr(
    not(any(feature = "toml", feature = "json", feature = "yaml")),
    expect(unused_variables, reason = "there is none at all")
)]
fn parse_as(extension: &str, text: &str, source: Source) -> Option<Result<Node, SyntaxError>> {
    match extension {
        #[cfg(feature = "toml")]
        "toml" => Some(toml::parse(text, source)),
        #[cfg(feature = "json")]
        "json" => Some(json::parse(text, source)),
        #[cfg(feature = "yaml")]
        "yaml" | "yml" => Some(yaml::parse(text, source)),
        _ => None,
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Adds a place to an error.
pub(crate) fn locate(
    error: Error,
    place: Option<Place>,
    files: &[SourceFile],
    overlay: &Overlay,
) -> Error {
    match place {
        Some(Place {
            source: Source::File(number),
            offset,
        }) => {
            let file = &files[number as usize];
            let error = error.in_file(file.path());
            match offset {
                Some(offset) => error.at_offset(file.text(), offset as usize),
                None => error,
            }
        }
        Some(Place {
            source: Source::Variable(number),
            ..
        }) => error.in_file(format!("environment variable {}", overlay.name(number))),
        // If there is only one file, the mistake is in it.
        None => match files {
            [file] => error.in_file(file.path()),
            _ => error,
        },
    }
}

/// Returns the error of a validation, at the place of the key that it names.
pub(crate) fn locate_invalid(
    invalid: Invalid,
    tree: &Node,
    files: &[SourceFile],
    overlay: &Overlay,
) -> Error {
    let place = invalid.key.as_deref().and_then(|key| tree.find(key).place);
    let error = Error::new(ErrorKind::Invalid, invalid.reason).about(invalid.key);
    locate(error, place, files, overlay)
}
