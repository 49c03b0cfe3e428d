//! Linux's notifications about directories and files.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::way::Way;

/// What the kernel says of a directory that is watched for a name.
const DIRECTORY: u32 = libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_ATTRIB
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR
    | libc::IN_MASK_ADD;

/// And of the file. Also if it is written by another name.
const FILE: u32 = libc::IN_MODIFY
    | libc::IN_CLOSE_WRITE
    | libc::IN_ATTRIB
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_DONT_FOLLOW
    | libc::IN_MASK_ADD;

/// A watch descriptor.
type Number = i32;

/// What something is watched for. A file may be a directory: then somebody has made one of that name.
#[derive(Debug, Default)]
struct Watched {
    /// In a directory: the names that are looked up there, and whether the last of the way is one.
    names: Vec<(OsString, bool)>,
    is_file: bool,
}

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Noticed {
    Nothing,
    /// The file is being written; it will be closed, or quiet.
    Writing,
    Change,
}

/// One queue of notifications.
#[derive(Debug)]
pub(super) struct Inotify {
    queue: OwnedFd,
    watched: HashMap<Number, Watched>,
    /// Whether everything is watched that was to be.
    has_all: bool,
}

impl Inotify {
    /// A queue, for as long as this lives.
    ///
    /// # Errors
    ///
    /// Fails if the user has too many of them.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let queue = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
        if queue < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: just opened, and nobody else's.
            queue: unsafe { OwnedFd::from_raw_fd(queue) },
            watched: HashMap::new(),
            has_all: true,
        })
    }

    /// Whether everything on the way is watched.
    pub(super) fn has_all(&self) -> bool {
        self.has_all
    }

    /// Not everything, after all.
    pub(super) fn has_missed_some(&mut self) {
        self.has_all = false;
    }

    /// Watches this way, and nothing else any more.
    pub(super) fn arm(&mut self, way: &Way) {
        let before = std::mem::take(&mut self.watched);
        self.has_all = true;
        let steps = way.steps();
        for (number, step) in steps.iter().enumerate() {
            let is_last = number + 1 == steps.len();
            // A file that was just made is not watched itself when it is closed.
            let closed = if is_last { libc::IN_CLOSE_WRITE } else { 0 };
            if let Some(watched) = self.add(&step.directory, DIRECTORY | closed) {
                watched.names.push((step.name.clone(), is_last));
            }
        }
        if let Some(file) = way.end()
            && let Some(watched) = self.add(&file, FILE)
        {
            watched.is_file = true;
        }
        for number in before.into_keys() {
            if !self.watched.contains_key(&number) {
                // SAFETY: no pointers. It may be gone already.
                unsafe { libc::inotify_rm_watch(self.queue.as_raw_fd(), number) };
            }
        }
    }

    /// The same number for what is watched already.
    fn add(&mut self, path: &Path, mask: u32) -> Option<&mut Watched> {
        let number = CString::new(path.as_os_str().as_bytes()).map_or(-1, |path| {
            let queue = self.queue.as_raw_fd();
            // SAFETY: the path ends with a zero and lives during the call.
            unsafe { libc::inotify_add_watch(queue, path.as_ptr(), mask) }
        });
        if number < 0 {
            // It went away meanwhile, which whoever walks will see; or it must not be watched, or
            // there are too many.
            self.has_all = false;
            return None;
        }
        Some(self.watched.entry(number).or_default())
    }

    /// Waits for something that concerns what is watched, so long at most.
    pub(super) fn wait(&mut self, timeout: Duration) -> Noticed {
        let mut poll = libc::pollfd {
            fd: self.queue.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // Rounded up: or else the last of it would be spent in many short waits.
        let most = timeout.as_nanos().div_ceil(1_000_000);
        let most = most.min(i32::MAX as u128) as i32;
        // SAFETY: one entry, valid during the call. Whether it is interrupted does not matter.
        unsafe { libc::poll(&raw mut poll, 1, most) };
        let mut noticed = Noticed::Nothing;
        let mut buffer = Buffer([0; 4096]);
        loop {
            let (start, size) = (buffer.0.as_mut_ptr(), buffer.0.len());
            // SAFETY: so many bytes are there to be written to.
            let length = unsafe { libc::read(self.queue.as_raw_fd(), start.cast(), size) };
            if length <= 0 {
                return noticed; // All has been read.
            }
            for (head, name) in events(&buffer.0[..length as usize]) {
                noticed = noticed.max(self.judge(head, name));
            }
        }
    }

    fn judge(&self, head: libc::inotify_event, name: &OsStr) -> Noticed {
        if head.mask & libc::IN_Q_OVERFLOW != 0 {
            return Noticed::Change;
        }
        let Some(watched) = self.watched.get(&head.wd) else {
            return Noticed::Nothing; // Of what was on the way before.
        };
        if name.is_empty() {
            // About what is watched itself.
            let writes = head.mask & libc::IN_MODIFY != 0;
            return if writes && watched.is_file {
                Noticed::Writing
            } else {
                Noticed::Change
            };
        }
        // More than once, in a path that comes back to a directory.
        let named = watched.names.iter().filter(|(watched, _)| watched == name);
        match named.max_by_key(|(_, is_last)| !is_last) {
            None => Noticed::Nothing,
            // Whoever makes a file writes to it next.
            Some((_, true)) if head.mask & libc::IN_CREATE != 0 => Noticed::Writing,
            Some(_) => Noticed::Change,
        }
    }
}

/// Aligned as the kernel's structures want.
#[repr(align(8))]
struct Buffer([u8; 4096]);

/// The events in what was read, each with its name, which is empty if it has none.
fn events(mut bytes: &[u8]) -> impl Iterator<Item = (libc::inotify_event, &OsStr)> {
    const HEAD: usize = size_of::<libc::inotify_event>();
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<HEAD>()?;
        // SAFETY: so many bytes are there, and any are valid for this structure of integers.
        let head = unsafe { head.as_ptr().cast::<libc::inotify_event>().read_unaligned() };
        let end = HEAD + head.len as usize;
        let name = bytes.get(HEAD..end)?;
        bytes = &bytes[end..];
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Some((head, OsStr::from_bytes(name)))
    })
}
