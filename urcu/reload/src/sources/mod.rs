//! The files that make up a version: their names, their places, and their contents.

mod resolution;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use resolution::Resolution;

use crate::error::{Error, ErrorKind};

/// Files that change while they are read are read again, for at most this time and this often.
const PATIENCE: Duration = Duration::from_millis(500);
const TRIES: u64 = 20;

/// The largest file that is read, unless another limit is set.
const MAX_FILE_SIZE: u64 = 64 << 20;

/// A file of a version: its path and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    /// Returns the path: the one that was given or, for a file in a directory, the given path joined with its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text, without a byte-order mark.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A source that was asked for: a file, or a directory of files.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    /// The path from the root.
    absolute: PathBuf,
    is_optional: bool,
}

/// All sources that were asked for, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    sources: Vec<Source>,
    /// The extensions of files that are read in directories. `None` stands for those of the built-in formats.
    extensions: Option<Vec<String>>,
    end_marker: Option<String>,
    max_file_size: u64,
}

/// The places of all files at one moment. Two walks are equal if nothing has changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// One for each source.
    pub(crate) sources: Vec<Walked>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) resolution: Resolution,
    /// The files in it, by name, if this is a directory.
    pub(crate) files: Vec<(PathBuf, Resolution)>,
}

impl Walk {
    /// Returns whether both walks lead to the same places, whatever is in the files there.
    pub(crate) fn leads_as(&self, other: &Walk) -> bool {
        let same_files = |one: &Walked, other: &Walked| {
            let mut both = one.files.iter().zip(&other.files);
            one.files.len() == other.files.len()
                && both.all(|(one, other)| one.0 == other.0 && one.1.leads_as(&other.1))
        };
        let mut both = self.sources.iter().zip(&other.sources);
        both.all(|(one, other)| {
            one.resolution.leads_as(&other.resolution) && same_files(one, other)
        })
    }

    /// Returns whether any file was written less than `age` ago.
    pub(crate) fn is_younger_than(&self, age: Duration) -> bool {
        self.resolutions()
            .any(|resolution| resolution.is_younger_than(age))
    }

    /// All resolutions: those of the sources, and those of the files in directories.
    pub(crate) fn resolutions(&self) -> impl Iterator<Item = &Resolution> {
        self.sources.iter().flat_map(|source| {
            let files = source.files.iter().map(|(_, resolution)| resolution);
            std::iter::once(&source.resolution).chain(files)
        })
    }

    /// Returns the directories whose files are read.
    #[cfg(target_os = "linux")]
    pub(crate) fn directories(&self) -> impl Iterator<Item = PathBuf> {
        let directories = self.sources.iter().map(|source| &source.resolution);
        directories
            .filter(|resolution| resolution.is_directory())
            .filter_map(Resolution::end)
    }
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            sources: Vec::new(),
            extensions: None,
            end_marker: None,
            max_file_size: MAX_FILE_SIZE,
        }
    }

    /// Returns the path that was given first.
    pub(crate) fn first_path(&self) -> &Path {
        &self.sources[0].path
    }

    pub(crate) fn add(&mut self, path: &Path, is_optional: bool) {
        let source = Source {
            path: path.into(),
            absolute: PathBuf::new(),
            is_optional,
        };
        self.sources.push(source);
    }

    pub(crate) fn set_extensions(&mut self, extensions: Vec<String>) {
        self.extensions = Some(extensions);
    }

    pub(crate) fn set_end_marker(&mut self, marker: String) {
        self.end_marker = Some(marker);
    }

    pub(crate) fn set_max_file_size(&mut self, bytes: u64) {
        self.max_file_size = bytes;
    }

    /// Makes all paths absolute. After that the current directory does not matter any more.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        for source in &mut self.sources {
            source.absolute = std::path::absolute(&source.path).map_err(|error| {
                Error::new(ErrorKind::System, error.to_string()).in_file(&source.path)
            })?;
        }
        Ok(())
    }

    /// Looks where everything is now.
    pub(crate) fn walk(&self) -> Walk {
        let sources = self.sources.iter().map(|source| {
            let resolution = Resolution::of(&source.absolute);
            let files = match resolution.is_directory() {
                true => self.files_in(&source.absolute),
                false => Vec::new(),
            };
            Walked { resolution, files }
        });
        Walk {
            sources: sources.collect(),
        }
    }

    fn files_in(&self, directory: &Path) -> Vec<(PathBuf, Resolution)> {
        let names: BTreeSet<_> = match fs::read_dir(directory) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.file_name()))
                .collect(),
            Err(_) => BTreeSet::new(),
        };
        let names = names.into_iter().filter(|name| self.is_wanted(name));
        let files = names.map(|name| {
            let resolution = Resolution::of(&directory.join(&name));
            (PathBuf::from(name), resolution)
        });
        files
            .filter(|(_, resolution)| !resolution.is_directory())
            .collect()
    }

    /// Returns whether a file of this name is read in a directory. Hidden files are not read, and neither are files
    /// that editors leave behind, which have other extensions.
    pub(crate) fn is_wanted(&self, name: &OsStr) -> bool {
        let Some(name) = name.to_str().filter(|name| !name.starts_with(['.', '#'])) else {
            return false;
        };
        let Some((_, extension)) = name.rsplit_once('.') else {
            return false;
        };
        match &self.extensions {
            Some(extensions) => extensions.iter().any(|wanted| wanted == extension),
            None => is_built_in(&extension.to_ascii_lowercase()),
        }
    }

    /// Reads all files as they were at one moment. If anything changes meanwhile, all files are read again. Also
    /// returns how often that was necessary.
    pub(crate) fn read(&self) -> (Result<Vec<SourceFile>, Error>, u64) {
        let begun = Instant::now();
        let mut again = 0;
        loop {
            let before = self.walk();
            let read = self.read_all(&before);
            if self.walk() == before {
                return (read.and_then(|files| self.complete(files)), again);
            }
            if again >= TRIES && begun.elapsed() > PATIENCE {
                let reason = "it changes faster than it can be read";
                let error = Error::new(ErrorKind::Unsettled, reason).in_file(self.first_path());
                return (Err(error), again);
            }
            again += 1;
            // Give the writer time to go on.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn read_all(&self, walk: &Walk) -> Result<Vec<SourceFile>, Error> {
        let mut files = Vec::new();
        for (source, walked) in self.sources.iter().zip(&walk.sources) {
            if !walked.resolution.is_directory() {
                match self.read_file(&source.absolute, source.path.clone()) {
                    Err(error) if error.kind() == ErrorKind::Missing && source.is_optional => {}
                    other => files.push(other?),
                }
                continue;
            }
            if let Err(error) = fs::read_dir(&source.absolute) {
                return Err(unreadable(&error).in_file(&source.path));
            }
            for (name, _) in &walked.files {
                let (from, path) = (source.absolute.join(name), source.path.join(name));
                files.push(self.read_file(&from, path)?);
            }
        }
        Ok(files)
    }

    fn read_file(&self, from: &Path, path: PathBuf) -> Result<SourceFile, Error> {
        let bytes = read_bytes(from, self.max_file_size)
            .map_err(|error| unreadable(&error).in_file(&path))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(SourceFile {
                text: match text.strip_prefix('\u{feff}') {
                    Some(text) => text.to_owned(),
                    None => text,
                },
                path,
            }),
            Err(error) => Err(not_utf8(&error).in_file(&path)),
        }
    }

    /// Fails if a file does not end with the end marker.
    fn complete(&self, files: Vec<SourceFile>) -> Result<Vec<SourceFile>, Error> {
        let Some(marker) = &self.end_marker else {
            return Ok(files);
        };
        match files
            .iter()
            .find(|file| !file.text.trim_end().ends_with(marker.as_str()))
        {
            None => Ok(files),
            Some(file) => {
                let reason = format!("it does not end with `{marker}`: was it cut short?");
                let error = Error::new(ErrorKind::Incomplete, reason).in_file(&file.path);
                let lines = file.text.lines().count().max(1) as u32;
                let column = file
                    .text
                    .lines()
                    .last()
                    .map_or(0, |line| line.chars().count()) as u32;
                Err(error.at(&file.text, lines, column + 1))
            }
        }
    }
}

#[cfg(feature = "serde")]
fn is_built_in(extension: &str) -> bool {
    crate::tree::is_known(extension)
}

/// Returns true: without built-in formats there is a custom parser, which gets all files.
#[cfg(not(feature = "serde"))]
fn is_built_in(_extension: &str) -> bool {
    true
}

fn not_utf8(error: &std::string::FromUtf8Error) -> Error {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
    let (line, column) = end_of(&text);
    let reason = match error.as_bytes() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16, and must be UTF-8",
        _ => "this is not UTF-8",
    };
    Error::new(ErrorKind::Unreadable, reason).at(&text, line, column)
}

fn end_of(text: &str) -> (u32, u32) {
    let start = text.rfind('\n').map_or(0, |end| end + 1);
    let line = 1 + text.bytes().filter(|&byte| byte == b'\n').count();
    (line as u32, 1 + text[start..].chars().count() as u32)
}

/// Fails if this is not a regular file: reading a pipe or a terminal could wait, and a device might never end.
fn check_is_file(data: &fs::Metadata) -> io::Result<()> {
    match data.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is not a regular file",
        )),
    }
}

/// Reads a file, which must be a regular one. Fails if it is larger than `limit`, even if it grows while it is read.
fn read_bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened, because that alone would let the writer of a pipe go on, and wakes some devices.
    check_is_file(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    let file = options.open(path)?;
    // Again, because another one may be there by now.
    let data = file.metadata()?;
    check_is_file(&data)?;
    let length = data.len();
    let mut bytes = Vec::new();
    if length <= limit {
        bytes.reserve_exact(usize::try_from(length).unwrap_or(0).min(1 << 30));
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    match length.max(bytes.len() as u64) > limit {
        true => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {limit} bytes (`max_file_size`)"),
        )),
        false => Ok(bytes),
    }
}

fn unreadable(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(ErrorKind::Missing, "there is no such file"),
        io::ErrorKind::NotADirectory => Error::new(
            ErrorKind::Missing,
            "there is no such file: a part of the path is no directory",
        ),
        _ => Error::new(ErrorKind::Unreadable, format!("it cannot be read: {error}")),
    }
}
