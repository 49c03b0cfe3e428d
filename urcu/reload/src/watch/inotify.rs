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

/// The events of a directory in which a name is looked up. Openings and writes are not among them, so a busy
/// neighbour of the file causes no wake-ups.
const DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::MASK_ADD);

/// The events of the file itself, which also tell of writes by another name of the file.
const FILE: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::MASK_ADD);

/// A watch descriptor.
type Descriptor = i32;

/// The reasons for watching something. Where a file was expected there may be a directory, if somebody has made one of
/// that name.
#[derive(Debug, Default)]
struct Watched {
    /// In a directory: the names that are looked up there, and whether each name should be that of a file.
    names: Vec<(OsString, bool)>,
    /// In a directory: whether its files are read.
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
    /// Names of files that were notified as complete since this was last armed.
    complete: HashSet<(Descriptor, OsString)>,
    /// The reason why something is not watched.
    gap: Option<Polling>,
}

impl Inotify {
    /// Makes a queue of notifications.
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

    /// Records that not everything is watched.
    pub(super) fn set_gap(&mut self) {
        self.gap.get_or_insert(Polling::Unwatchable);
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// Watches what this walk came across, and stops watching everything else.
    ///
    /// A new file may be so young that somebody is still writing to it unnoticed. It then counts as being written to,
    /// unless this `trusts` files to be complete.
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
                // The watch may be gone already.
                let _ = inotify::remove_watch(&self.queue, descriptor);
            }
        }
        let watched = &self.watched;
        self.writing
            .retain(|(descriptor, _)| watched.contains_key(descriptor));
        self.complete.clear();
    }

    /// Watches the directories on the path for the names that are looked up there. Returns the last one, if the path
    /// leads that far.
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

    /// Adds a watch. For something that is watched already, this returns the same descriptor.
    fn add(&mut self, path: &Path, flags: WatchFlags) -> Option<Descriptor> {
        match inotify::add_watch(&self.queue, path, flags) {
            Ok(descriptor) => {
                self.watched.entry(descriptor).or_default();
                Some(descriptor)
            }
            Err(error) => {
                // It may also have vanished meanwhile, which the next walk will see.
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
        // Reads until the queue is empty. If anything else goes wrong, polling finds the changes.
        while let Ok(event) = reader.next() {
            judge(&event, watched, writing, complete, sources, &mut noticed);
        }
        noticed
    }

    /// Returns whether somebody seems to be writing to a file.
    pub(super) fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Forgets the open files: nobody has written for a while, so their writers have died, or wait.
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
        return; // This is about something that was watched before.
    };
    let name = OsStr::from_bytes(event.file_name().map_or(&[], |name| name.to_bytes()));
    let is_end = if name.is_empty() {
        // The event is about the watched file or directory itself.
        watched.is_file
    } else {
        // There is more than one name if a path comes back to a directory.
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
    // A program that creates a file writes to it next.
    if happened.intersects(ReadFlags::MODIFY | ReadFlags::CREATE) {
        complete.remove(&writer);
        writing.insert(writer);
    } else if !happened.contains(ReadFlags::ATTRIB) {
        // The file was closed, renamed or removed. Changed permissions, or one link less, do not count.
        writing.remove(&writer);
        complete.insert(writer);
    }
}
