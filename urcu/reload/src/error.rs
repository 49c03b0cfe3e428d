//! The reasons why a version is refused.

use std::fmt;
use std::path::{Path, PathBuf};

/// The kind of mistake that an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file or directory.
    Missing,
    /// The file is there, but cannot be read: it is not allowed, not a regular file, too large, or not UTF-8.
    Unreadable,
    /// The file is not complete: it lacks the [end marker](crate::Builder::end_marker).
    Incomplete,
    /// The files change too fast to be read as one version.
    Unsettled,
    /// The text is malformed, or no format is known for the file.
    Syntax,
    /// The text is well-formed but does not fit the type: a missing field, a wrong type.
    Type,
    /// The value fits the type, but a validation or a custom parser refused it.
    Invalid,
    /// The parser or the validation panicked.
    Panicked,
    /// [`reload_now`](crate::Watched::reload_now) was called by a parser or a validation.
    Nested,
    /// Options of the builder were combined that exclude each other.
    Conflict,
    /// The watching thread could not be started, or the path cannot be made absolute.
    System,
}

/// The error of a refused version: the file, the line and column, and the reason.
///
/// `{}` shows it in one line, `service.toml:12:10: route[3].weight: 2000 is over 1000`; `{:#}` adds the
/// line at fault with a mark under it. `{:?}` shows the same as `{:#}`, so that a `main` that returns the error
/// says what has to be changed, as `expect` does; `{:#?}` shows the fields.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    reason: String,
    file: Option<PathBuf>,
    place: Option<(u32, u32)>,
    key: Option<String>,
    excerpt: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            file: None,
            place: None,
            key: None,
            excerpt: None,
        }
    }

    pub(crate) fn in_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    pub(crate) fn about(mut self, key: Option<String>) -> Self {
        self.key = key;
        self
    }

    /// Says that no file was read at all.
    pub(crate) fn with_no_file(mut self) -> Self {
        self.reason.push_str(" (no file was read)");
        self
    }

    /// Sets the place, as an offset in the text of the file.
    #[cfg_attr(not(feature = "serde"), allow(dead_code))]
    pub(crate) fn at_offset(self, text: &str, offset: usize) -> Self {
        let offset = text.floor_char_boundary(offset.min(text.len()));
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        let column = 1 + text[start..offset].chars().count();
        self.at(text, line as u32, column as u32)
    }

    /// Sets the place, as a line and a column of the text of the file, both counted from 1.
    pub(crate) fn at(mut self, text: &str, line: u32, column: u32) -> Self {
        self.place = Some((line, column));
        let line = text.lines().nth((line as usize).saturating_sub(1));
        // A long line, such as minified JSON, is not shown.
        self.excerpt = line.filter(|line| line.len() < 200).map(printable);
        self
    }

    /// Returns what kind of mistake this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the reason without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the file at fault, if the error is that of one file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the line at fault, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.place.map(|(line, _)| line)
    }

    /// Returns the column, in characters, counted from 1.
    pub fn column(&self) -> Option<u32> {
        self.place.map(|(_, column)| column)
    }

    /// Returns the key at fault, such as `route[3].weight`.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// Returns the text with a mark in place of each control character except tabs and line feeds. Shown as they are, a carriage return
/// would hide a part of the line, and an escape sequence could do anything to a terminal.
fn printable(text: &str) -> String {
    let mark = |c: char| match c.is_control() && !matches!(c, '\t' | '\n') {
        true => '\u{fffd}',
        false => c,
    };
    text.chars().map(mark).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", printable(&file.to_string_lossy()))?;
            if let Some((line, column)) = self.place {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{}: ", printable(key))?;
        }
        f.write_str(&printable(&self.reason))?;
        match (&self.excerpt, self.place) {
            (Some(excerpt), Some((line, column))) if f.alternate() => {
                let number = line.to_string();
                let (gap, column) = (" ".repeat(number.len()), column.saturating_sub(1) as usize);
                // Tabs stay tabs, so that the mark stands under the right column.
                let indent: String = (excerpt.chars().take(column))
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                write!(f, "\n{gap} |\n{number} | {excerpt}\n{gap} | {indent}^")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write!(f, "{self:#}");
        }
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .field("file", &self.file)
            .field("place", &self.place)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

/// A mistake that a validation or a custom parser has found, and its place.
///
/// A `&str` or a `String` is converted to an `Invalid` by `?` or `.into()`:
///
/// ```
/// use urcu_reload::Invalid;
///
/// fn check(weight: u32) -> Result<(), Invalid> {
///     if weight > 1000 {
///         // The error will name the line and column of that key.
///         return Err(Invalid::new(format!("{weight} is over 1000")).at_key("route[3].weight"));
///     }
///     Ok(())
/// }
/// # assert!(check(1).is_ok() && check(2000).is_err());
/// ```
///
/// So is any other error, by [`Invalid::new`]:
///
/// ```
/// # use urcu_reload::Invalid;
/// fn port(text: &str) -> Result<u16, Invalid> {
///     text.parse().map_err(|error| Invalid::new(error).at_key("port"))
/// }
/// # assert_eq!(port("x").unwrap_err().to_string(), "port: invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub(crate) reason: String,
    pub(crate) key: Option<String>,
    pub(crate) place: Option<(u32, u32)>,
    pub(crate) file: Option<PathBuf>,
}

impl Invalid {
    /// Creates an `Invalid` with this reason: a text, or another error.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
            key: None,
            place: None,
            file: None,
        }
    }

    /// Names the key at fault, such as `route[3].weight`. The error gets its file, line and column from the key.
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names the line and column at fault, both counted from 1. This is for custom parsers.
    pub fn at_line(mut self, line: u32, column: u32) -> Self {
        self.place = Some((line, column));
        self
    }

    /// Names the file at fault. Without this call, the error names the first file.
    pub fn in_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }
}

impl From<&str> for Invalid {
    fn from(reason: &str) -> Self {
        Self::new(reason)
    }
}

impl From<String> for Invalid {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}
