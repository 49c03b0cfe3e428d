//! Notices when a path may lead to another content, however that comes about: the file is written,
//! replaced by a rename, removed and made again; a symbolic link on the way leads elsewhere (as the
//! `..data` of a Kubernetes volume does, which is swapped at every change); a directory on the way is
//! renamed, removed or made again.
//!
//! What is watched is not a directory but the *way*: all that the kernel looks up when it opens the
//! path. Each directory on it is watched for the one name that is looked up there, and the file itself
//! for writes. After a change of the way it is walked, and armed, again. What no notification tells
//! (mounts, other hosts that write to a shared file system, directories that must not be read, a
//! system without notifications) is found by walking the way now and then, in any case.

#[cfg(target_os = "linux")]
mod inotify;
mod way;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use inotify::{Inotify, Noticed};
use way::Way;

/// How often the way is walked where everything on it is watched, and where it is not.
const LOOKS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(100));
/// A file that is being written is left alone until it is closed, or nobody has written for so long.
#[cfg(target_os = "linux")]
const QUIET: Duration = Duration::from_millis(100);
/// But not longer than this.
#[cfg(target_os = "linux")]
const UNQUIET: Duration = Duration::from_secs(1);

/// A watch on a file, which need not be there.
///
/// Whoever reads the file after making this, and again whenever [`FileWatch::wait`] says so, misses no
/// content that stays.
#[derive(Debug)]
pub(crate) struct FileWatch {
    file: PathBuf,
    /// As it was when it was armed.
    way: Way,
    #[cfg(target_os = "linux")]
    inotify: Option<Inotify>,
    looks: (Duration, Duration),
    looked: Instant,
}

impl FileWatch {
    /// Watches a file from now on.
    ///
    /// # Errors
    ///
    /// Fails if the path is relative and there is no current directory.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let file = std::path::absolute(file)?;
        let mut watch = Self {
            way: Way::walk(&file),
            file,
            // Without it (there is a limit on them), looks have to do.
            #[cfg(target_os = "linux")]
            inotify: Inotify::new().ok(),
            looks: LOOKS,
            looked: Instant::now(),
        };
        watch.arm();
        Ok(watch)
    }

    /// The same with other times between two looks: where everything is watched, and where not.
    pub(crate) fn look_every(self, watched: Duration, unwatched: Duration) -> Self {
        Self {
            looks: (watched, unwatched),
            ..self
        }
    }

    /// Waits until the file may have another content, or be gone or there again, and returns `true`;
    /// or, after `timeout`, `false`. Several changes are one.
    pub(crate) fn wait(&mut self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        loop {
            let every = if self.is_watched() {
                self.looks.0
            } else {
                self.looks.1
            };
            let left = until.saturating_duration_since(Instant::now());
            let next = every.saturating_sub(self.looked.elapsed());
            if self.notified(left.min(next)) {
                self.arm();
                return true;
            }
            if self.looked.elapsed() >= every && self.look() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Whether the way, or the file at its end, is another one than before.
    fn look(&mut self) -> bool {
        self.looked = Instant::now();
        if Way::walk(&self.file) == self.way {
            return false;
        }
        self.arm();
        true
    }
}

#[cfg(target_os = "linux")]
impl FileWatch {
    /// Whether all changes are notified, of a local file system.
    fn is_watched(&self) -> bool {
        self.inotify.as_ref().is_some_and(Inotify::has_all)
    }

    /// Walks the way and watches all of it.
    fn arm(&mut self) {
        // Until it is the same before and after: what was watched then is what was there. One that
        // never rests is looked at again soon.
        for _ in 0..16 {
            let way = Way::walk(&self.file);
            if let Some(inotify) = &mut self.inotify {
                inotify.arm(&way);
            }
            self.way = Way::walk(&self.file);
            if self.way.is_as(&way) {
                return;
            }
        }
        if let Some(inotify) = &mut self.inotify {
            inotify.has_missed_some();
        }
    }

    /// Waits for something that concerns the way, so long at most.
    fn notified(&mut self, timeout: Duration) -> bool {
        let Some(inotify) = &mut self.inotify else {
            std::thread::sleep(timeout);
            return false;
        };
        let mut noticed = inotify.wait(timeout);
        let since = Instant::now();
        while noticed == Noticed::Writing && since.elapsed() < UNQUIET {
            noticed = match inotify.wait(QUIET) {
                Noticed::Nothing => Noticed::Change,
                more => more,
            };
        }
        noticed != Noticed::Nothing
    }
}

#[cfg(not(target_os = "linux"))]
impl FileWatch {
    fn is_watched(&self) -> bool {
        false
    }

    fn arm(&mut self) {
        self.way = Way::walk(&self.file);
    }

    fn notified(&mut self, timeout: Duration) -> bool {
        std::thread::sleep(timeout);
        false
    }
}
