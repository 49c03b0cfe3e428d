//! The resolution of a path: every name that is looked up when it is opened.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of symbolic links that Linux follows in a path.
#[cfg(unix)]
const MAX_LINKS: usize = 40;

/// One look-up of a name in a directory. The path of the directory has no symbolic links in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) directory: PathBuf,
    pub(crate) name: OsString,
    found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    #[cfg(unix)]
    Link(PathBuf),
    Node(Identity),
}

/// The device and the number of a file, on systems that have them.
type Identity = (u64, u64);

/// The identity and state of the file at the end. Any write changes it, if the clock is fine enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    is_directory: bool,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// All look-ups in their order, up to the file or directory at the end, or to the first one that found nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    lookups: Vec<Lookup>,
    /// True if the last look-up was that of the last name.
    is_whole: bool,
    /// The file or directory at the end, or `None`.
    content: Option<Content>,
}

impl Resolution {
    /// Returns the look-ups.
    pub(crate) fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Returns whether the last look-up was that of the last name, whether it was found or not.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the path of the file or directory at the end, without symbolic links, if there is one.
    pub(crate) fn end(&self) -> Option<PathBuf> {
        self.content?;
        let last = self.lookups.last()?;
        Some(last.directory.join(&last.name))
    }

    /// Returns whether there is a directory at the end.
    pub(crate) fn is_directory(&self) -> bool {
        self.content.is_some_and(|content| content.is_directory)
    }

    /// Returns whether there is a file at the end that was written less than `age` ago, or in the future, because
    /// clocks differ.
    pub(crate) fn is_younger_than(&self, age: Duration) -> bool {
        let Some(content) = self.content.filter(|content| !content.is_directory) else {
            return false;
        };
        let (seconds, nanoseconds) = content.modified;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let modified = UNIX_EPOCH + seconds + Duration::from_nanos(nanoseconds as u64);
        SystemTime::now()
            .duration_since(modified)
            .is_ok_and(|old| old < age)
            || modified > SystemTime::now()
    }

    /// Returns whether both lead to the same place, whatever is in there.
    pub(crate) fn leads_as(&self, other: &Resolution) -> bool {
        self.lookups == other.lookups && self.is_directory() == other.is_directory()
    }
}

#[cfg(unix)]
impl Resolution {
    /// Resolves an absolute path, as far as it leads.
    pub(crate) fn of(path: &Path) -> Self {
        let mut resolution = Resolution {
            lookups: Vec::new(),
            is_whole: false,
            content: None,
        };
        let mut here = PathBuf::from("/");
        let mut rest = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let there = here.join(&name);
            let (found, data) = look_up(&there);
            resolution.is_whole = rest.is_empty() && !matches!(found, Found::Link(_));
            resolution.lookups.push(Lookup {
                directory: here.clone(),
                name,
                found: found.clone(),
            });
            match (found, data) {
                (Found::Link(target), _) if links < MAX_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    let mut names = names(&target);
                    names.append(&mut rest);
                    rest = names;
                }
                (Found::Node(_), Some(data)) => {
                    here = there;
                    resolution.content = rest.is_empty().then(|| Content::of(&data));
                }
                _ => return resolution,
            }
        }
        resolution
    }
}

#[cfg(unix)]
fn look_up(path: &Path) -> (Found, Option<Metadata>) {
    match path.symlink_metadata() {
        Err(_) => (Found::Nothing, None),
        Ok(data) if data.is_symlink() => match path.read_link() {
            Ok(target) => (Found::Link(target), None),
            Err(_) => (Found::Nothing, None),
        },
        Ok(data) => (Found::Node(identity(&data)), Some(data)),
    }
}

/// Returns the names in a path, without those of a current directory (`.`).
#[cfg(unix)]
fn names(path: &Path) -> std::collections::VecDeque<OsString> {
    use std::path::Component;

    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    names.collect()
}

#[cfg(not(unix))]
impl Resolution {
    /// Resolves a path as the system does, in one step.
    pub(crate) fn of(path: &Path) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.into());
        let data = real.metadata().ok();
        let lookup = Lookup {
            directory: real.parent().unwrap_or(&real).into(),
            name: real.file_name().unwrap_or_default().into(),
            found: data
                .as_ref()
                .map_or(Found::Nothing, |data| Found::Node(identity(data))),
        };
        Resolution {
            lookups: vec![lookup],
            is_whole: true,
            content: data.as_ref().map(Content::of),
        }
    }
}

#[cfg(unix)]
fn identity(data: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

#[cfg(not(unix))]
fn identity(data: &Metadata) -> Identity {
    let made = data
        .created()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let made = made.unwrap_or_default();
    (made.as_secs(), made.subsec_nanos().into())
}

impl Content {
    /// For a directory, only that it is one is recorded, not what is in it.
    pub(crate) fn of(data: &Metadata) -> Self {
        if data.is_dir() {
            return Content {
                is_directory: true,
                length: 0,
                modified: (0, 0),
                changed: (0, 0),
            };
        }
        let (modified, changed) = times(data);
        Content {
            is_directory: false,
            length: data.len(),
            modified,
            changed,
        }
    }
}

#[cfg(unix)]
fn times(data: &Metadata) -> ((i64, i64), (i64, i64)) {
    use std::os::unix::fs::MetadataExt;
    (
        (data.mtime(), data.mtime_nsec()),
        (data.ctime(), data.ctime_nsec()),
    )
}

#[cfg(not(unix))]
fn times(data: &Metadata) -> ((i64, i64), (i64, i64)) {
    let modified = data
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default();
    (
        (modified.as_secs() as i64, modified.subsec_nanos().into()),
        (0, 0),
    )
}
