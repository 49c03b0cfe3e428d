//! Linux's notifications about directories and files.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::{Noticed, WRITE_QUIET};
use crate::sources::{Resolution, Sources, Walk};
use crate::status::Polling;

/// The events of a directory in which a name is looked up. Neither openings nor writes: a
/// busy neighbour of the file wakes nobody.
const DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::MASK_ADD);

/// And of the file itself, also if it is written by another name.
const FILE: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::MASK_ADD);

/// A watch descriptor.
type Descriptor = i32;

/// The reasons for watching something. A file may be a directory: then somebody has made one of that name.
#[derive(Debug, Default)]
struct Watched {
    /// In a directory: the names that are looked up there, and whether a file is to be of that name.
    names: Vec<(OsString, bool)>,
    /// In a directory: whether all files are read that are wanted.
    is_source: bool,
    is_file: bool,
}

/// One queue of notifications.
#[derive(Debug)]
pub(super) struct Inotify {
    queue: OwnedFd,
    watched: HashMap<Descriptor, Watched>,
    /// Files that somebody seems to have open for writing.
    writing: HashSet<(Descriptor, OsString)>,
    /// Names under which a complete file was notified, since the last time that this was armed.
    complete: HashSet<(Descriptor, OsString)>,
    /// Why something is not watched.
    gap: Option<Polling>,
}

impl Inotify {
    /// Makes a queue, which lives as long as this.
    pub(super) fn new() -> Result<Self, Polling> {
        match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
            Ok(queue) => Ok(Self {
                queue,
                watched: HashMap::new(),
                writing: HashSet::new(),
                complete: HashSet::new(),
                gap: None,
            }),
            Err(Errno::MFILE | Errno::NFILE) => Err(Polling::LimitReached),
            Err(_) => Err(Polling::Unavailable),
        }
    }

    /// Returns why not everything is watched, if so.
    pub(super) fn gap(&self) -> Option<Polling> {
        self.gap
    }

    /// Not everything, after all.
    pub(super) fn set_gap(&mut self) {
        self.gap.get_or_insert(Polling::Unwatchable);
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// Watches what this walk came across, and nothing else any more.
    ///
    /// A file that is new there, and so young that somebody may still be writing to it unnoticed, is taken
    /// for one that is written to, unless it `trusts` files to be complete.
    pub(super) fn arm(&mut self, walk: &Walk, trusts: bool) {
        let before = std::mem::take(&mut self.watched);
        self.gap = None;
        for resolution in walk.resolutions() {
            let end = self.arm_way(resolution);
            if let Some(file) = resolution.end().filter(|_| !resolution.is_directory())
                && let Some(descriptor) = self.add(&file, FILE)
            {
                self.watched.entry(descriptor).or_default().is_file = true;
                let is_known = before.contains_key(&descriptor) || trusts;
                if let Some(end) = end.filter(|end| !is_known && !self.complete.contains(end))
                    && resolution.is_younger_than(WRITE_QUIET)
                {
                    self.writing.insert(end);
                }
            }
        }
        for directory in walk.directories() {
            if let Some(descriptor) = self.add(&directory, DIRECTORY | WatchFlags::CLOSE_WRITE) {
                self.watched.entry(descriptor).or_default().is_source = true;
            }
        }
        for descriptor in before.into_keys() {
            if !self.watched.contains_key(&descriptor) {
                // It may be gone already.
                let _ = inotify::remove_watch(&self.queue, descriptor);
            }
        }
        let watched = &self.watched;
        self.writing
            .retain(|(descriptor, _)| watched.contains_key(descriptor));
        self.complete.clear();
    }

    /// Watches the directories on the way for the names that are looked up there. Returns the last, if the
    /// way leads so far.
    fn arm_way(&mut self, resolution: &Resolution) -> Option<(Descriptor, OsString)> {
        let mut end = None;
        let lookups = resolution.lookups();
        for (number, lookup) in lookups.iter().enumerate() {
            let is_last = resolution.is_whole() && number + 1 == lookups.len();
            // A file that was just made is not watched itself when it is closed.
            let flags = if is_last {
                DIRECTORY | WatchFlags::CLOSE_WRITE
            } else {
                DIRECTORY
            };
            let descriptor = self.add(&lookup.directory, flags)?;
            let watched = self.watched.entry(descriptor).or_default();
            let name = (lookup.name.clone(), is_last);
            if !watched.names.contains(&name) {
                watched.names.push(name);
            }
            end = is_last.then(|| (descriptor, lookup.name.clone()));
        }
        end
    }

    /// The same descriptor for what is watched already.
    fn add(&mut self, path: &Path, flags: WatchFlags) -> Option<Descriptor> {
        match inotify::add_watch(&self.queue, path, flags) {
            Ok(descriptor) => {
                self.watched.entry(descriptor).or_default();
                Some(descriptor)
            }
            Err(error) => {
                // Or it went away meanwhile, which whoever walks will see.
                let is_limit = error == Errno::NOSPC;
                let why = if is_limit {
                    Polling::LimitReached
                } else {
                    Polling::Unwatchable
                };
                self.gap.get_or_insert(why);
                None
            }
        }
    }

    /// Takes all notifications from the queue. Returns what they mean for `sources`.
    pub(super) fn drain(&mut self, sources: &Sources) -> Noticed {
        let mut noticed = Noticed::default();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let Self {
            queue,
            watched,
            writing,
            complete,
            ..
        } = self;
        let mut reader = inotify::Reader::new(queue.as_fd(), &mut buffer);
        // Until the queue is empty; what else can go wrong is found by looking.
        while let Ok(event) = reader.next() {
            judge(&event, watched, writing, complete, sources, &mut noticed);
        }
        noticed
    }

    /// Returns whether somebody seems to be writing to a file.
    pub(super) fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Nobody has written for a while: whoever had files open has died, or waits.
    pub(super) fn forget_writers(&mut self) {
        self.writing.clear();
    }
}

fn judge(
    event: &Event<'_>,
    watched: &HashMap<Descriptor, Watched>,
    writing: &mut HashSet<(Descriptor, OsString)>,
    complete: &mut HashSet<(Descriptor, OsString)>,
    sources: &Sources,
    noticed: &mut Noticed,
) {
    let happened = event.events();
    if happened.contains(ReadFlags::QUEUE_OVERFLOW) {
        noticed.count += 1;
        noticed.is_uncertain = true;
        return;
    }
    let Some(watched) = watched.get(&event.wd()) else {
        return; // Of what was watched before.
    };
    let name = OsStr::from_bytes(event.file_name().map_or(&[], |name| name.to_bytes()));
    let is_end = if name.is_empty() {
        // About what is watched itself.
        watched.is_file
    } else {
        // More than once, in a path that comes back to a directory.
        let mut named = watched
            .names
            .iter()
            .filter(|(watched, _)| watched == name)
            .peekable();
        let is_name = named.peek().is_some();
        let is_wanted = watched.is_source && sources.is_wanted(name);
        if !is_name && !is_wanted {
            return;
        }
        named.all(|(_, is_end)| *is_end)
    };
    noticed.count += 1;
    if !is_end || happened.contains(ReadFlags::ISDIR) {
        noticed.is_uncertain = true;
        return;
    }
    let writer = (event.wd(), name.to_owned());
    // Whoever makes a file writes to it next.
    if happened.intersects(ReadFlags::MODIFY | ReadFlags::CREATE) {
        complete.remove(&writer);
        writing.insert(writer);
    } else if !happened.contains(ReadFlags::ATTRIB) {
        // Closed, renamed or gone; not permissions, or one name less.
        writing.remove(&writer);
        complete.insert(writer);
    }
}
