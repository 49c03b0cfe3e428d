//! The way to a file: all that is looked up when its path is opened.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows.
const LINKS: usize = 40;

/// One look-up: of a name in a directory, whose path has no symbolic links in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) directory: PathBuf,
    pub(super) name: OsString,
    /// What was found: device and number of the directory or file, or where the link leads.
    found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Link(PathBuf),
    Node { device: u64, number: u64 },
}

/// What the end of a way was when it was walked. Any write changes it, on a clock that is fine enough.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// All look-ups, in their order, up to the file or the first that found nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    steps: Vec<Step>,
    /// `None` if there is no file at the end.
    content: Option<Content>,
}

impl Way {
    /// Walks to an absolute path, as far as it leads.
    pub(super) fn walk(file: &Path) -> Self {
        let mut way = Way {
            steps: Vec::new(),
            content: None,
        };
        let mut here = PathBuf::from("/");
        let mut rest = names(file);
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let there = here.join(&name);
            let (found, next) = match there.symlink_metadata() {
                Err(_) => (Found::Nothing, None),
                Ok(data) if data.is_symlink() => match there.read_link() {
                    Ok(target) => (Found::Link(target), None),
                    Err(_) => (Found::Nothing, None),
                },
                Ok(data) => {
                    let found = Found::Node {
                        device: data.dev(),
                        number: data.ino(),
                    };
                    (found, Some(data))
                }
            };
            way.steps.push(Step {
                directory: here.clone(),
                name,
                found: found.clone(),
            });
            match (found, next) {
                (Found::Link(target), _) if links < LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    let mut names = names(&target);
                    names.append(&mut rest);
                    rest = names;
                }
                (Found::Node { .. }, Some(data)) => {
                    here = there;
                    way.content = rest.is_empty().then(|| Content::of(&data));
                }
                _ => return way,
            }
        }
        way
    }

    /// The look-ups.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The file at the end, if there is one.
    pub(super) fn end(&self) -> Option<PathBuf> {
        self.content.as_ref()?;
        let last = self.steps.last()?;
        Some(last.directory.join(&last.name))
    }

    /// Whether it is the same way, to the same file, whatever that contains.
    pub(super) fn is_as(&self, other: &Way) -> bool {
        self.steps == other.steps
    }
}

/// The names in a path. A current directory is none.
fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    names.collect()
}

impl Content {
    fn of(data: &Metadata) -> Self {
        Content {
            length: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}
