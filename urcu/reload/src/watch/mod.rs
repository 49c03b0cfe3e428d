//! Notices when the sources may have another content, whatever the reason: a file is written, replaced by a rename, or
//! removed and made again; a symbolic link on the path changes its target (as the `..data` of a Kubernetes volume
//! does); a directory on the path is renamed, removed or made again.
//!
//! Not directories are watched, but the *resolution* of each path: all names that the kernel looks up when it opens the
//! path. Each directory in it is watched for the one name that is looked up there, and the file itself for writes.
//! After a change everything is resolved and armed again. Some changes cause no notification (mounts, other hosts that
//! write to a shared file system, directories that must not be read, a system without notifications). So the files are
//! also polled from time to time.

mod bell;
#[cfg(target_os = "linux")]
mod inotify;

use std::time::{Duration, Instant};

pub(crate) use bell::{Bell, Ringer};

use crate::sources::{Sources, Walk};
use crate::status::Polling;
#[cfg(target_os = "linux")]
use inotify::Inotify;

/// A file that somebody writes to is not read until it is closed, or until nobody has written for this time: then it
/// was truncated or mapped, or its writer waits. The same holds for a file that was just found and is younger than
/// this.
const WRITE_QUIET: Duration = Duration::from_secs(1);
/// The quiet time after which files count as complete, if nothing else tells.
const LOOK_QUIET: Duration = Duration::from_millis(100);
/// The time after which files are read even if they go on changing, from one complete content to the next.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// The polling interval if all changes are notified except mounts.
const LOOK_WATCHED: Duration = Duration::from_secs(2);

/// The meaning of a batch of notifications.
#[derive(Clone, Copy, Debug, Default)]
struct Noticed {
    /// The number of notifications.
    count: u64,
    /// Something has changed on the path: the files at its end may be other files, complete or not.
    is_uncertain: bool,
    /// Something has changed that was not notified, or not yet.
    is_unannounced: bool,
    /// A file is being written. It will be closed, or become quiet.
    is_writing: bool,
}

/// The intervals and delays of the watching.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The quiet time after the last of several changes.
    pub(crate) debounce: Duration,
    /// The polling interval if changes are not notified.
    pub(crate) poll: Duration,
    /// True to poll only, without notifications.
    pub(crate) poll_only: bool,
}

/// A change that has not settled yet.
#[derive(Debug)]
struct Pending {
    first: Instant,
    last: Instant,
    noticed: Noticed,
    /// The state after the last change.
    walk: Walk,
}

/// A watch on the sources.
///
/// A caller that reads the sources after creating this, and again whenever [`Watcher::wait`] says so, misses no content
/// that stays.
#[derive(Debug)]
pub(crate) struct Watcher {
    sources: Sources,
    /// The state of everything when it was armed.
    walk: Walk,
    #[cfg(target_os = "linux")]
    inotify: Result<Inotify, Polling>,
    is_network: bool,
    timing: Timing,
    looked: Instant,
    pending: Option<Pending>,
    bell: Bell,
    pub(crate) counts: Counts,
}

/// The counts of the watching itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) notifications: u64,
    pub(crate) looks: u64,
}

impl Watcher {
    /// Watches from now on.
    pub(crate) fn new(sources: Sources, timing: Timing, bell: Bell) -> Self {
        let mut watcher = Self {
            walk: sources.walk(),
            sources,
            // Without a queue (there is a limit on them), polling has to do.
            #[cfg(target_os = "linux")]
            inotify: if timing.poll_only {
                Err(Polling::Asked)
            } else {
                Inotify::new()
            },
            is_network: false,
            timing,
            looked: Instant::now(),
            pending: None,
            bell,
            counts: Counts::default(),
        };
        // At the start the files are read as they are, so that the start does not wait.
        watcher.arm(true);
        watcher
    }

    /// Waits until the sources may have another content that has settled. Returns when the first change was noticed.
    /// Several changes count as one. Returns `None` as soon as `is_called` returns true, which is called whenever the
    /// bell rings.
    pub(crate) fn wait(&mut self, is_called: impl Fn() -> bool) -> Option<Instant> {
        loop {
            if is_called() {
                return None;
            }
            self.take_notifications();
            let now = Instant::now();
            let due = match self.pending.take() {
                Some(pending) if self.has_settled(&pending, self.due(&pending)) => {
                    if self.arm_settled(&pending) {
                        return Some(pending.first);
                    }
                    continue;
                }
                Some(pending) => {
                    let due = self.due(&pending);
                    // Keep waiting for this change, unless another was noticed just now.
                    self.pending.get_or_insert(pending);
                    Some(due)
                }
                None => None,
            };
            let every = self.look_every();
            if self.looked.elapsed() >= every && due.is_none() {
                self.look();
                continue;
            }
            let next = due.map_or(every.saturating_sub(self.looked.elapsed()), |due| {
                due.saturating_duration_since(now)
            });
            self.wait_for_the_bell(next);
        }
    }

    /// Waits until all files are complete, as far as can be known, or `is_stopped` returns true. Arms everything. This
    /// is for callers that want to read now.
    pub(crate) fn wait_for_writers(&mut self, is_stopped: impl Fn() -> bool) {
        loop {
            self.take_notifications();
            if self.pending.is_none() {
                self.look();
            }
            let pending = self.pending.take().unwrap_or_else(|| Pending {
                first: Instant::now(),
                last: Instant::now(),
                noticed: Noticed::default(),
                walk: self.walk.clone(),
            });
            // Even files that seem complete are left alone for a moment, because a truncation can be seen before it is
            // notified.
            let is_young = !self.trusts() && pending.walk.is_younger_than(WRITE_QUIET);
            let at_least = if is_young { LOOK_QUIET } else { Duration::ZERO };
            let until = pending.last + self.quiet(&pending).unwrap_or(at_least);
            let has_settled = self.has_settled(&pending, until);
            if is_stopped() || (has_settled && self.arm_settled(&pending)) {
                return;
            }
            if !has_settled {
                self.pending.get_or_insert(pending);
                self.wait_for_the_bell(until.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Returns whether all files were complete since this was armed, so that everything that was read since then is
    /// complete.
    pub(crate) fn is_undisturbed(&mut self) -> bool {
        self.take_notifications();
        let pending = self.pending.as_ref();
        if pending.is_some_and(|pending| self.quiet(pending).is_some()) {
            return false;
        }
        // In any case, something may have happened that is not notified yet.
        self.trusts() || self.is_as_armed()
    }

    /// Arms everything. Returns whether the state is still the one that has settled.
    fn arm_settled(&mut self, pending: &Pending) -> bool {
        self.arm(self.trusts());
        if self.trusts() || self.walk == pending.walk {
            return true;
        }
        self.note_unannounced(self.walk.clone(), pending.first);
        false
    }

    /// Returns whether everything is as it was when it was armed. If not, it has changed without a notification. For
    /// example, a truncated file can be seen to be empty before the kernel notifies it.
    fn is_as_armed(&mut self) -> bool {
        let walk = self.sources.walk();
        if walk == self.walk {
            return true;
        }
        let first = self.pending.as_ref().map(|pending| pending.first);
        self.note_unannounced(walk, first.unwrap_or_else(Instant::now));
        false
    }

    fn note_unannounced(&mut self, walk: Walk, first: Instant) {
        let noticed = Noticed {
            is_unannounced: true,
            ..Noticed::default()
        };
        self.note(noticed, walk, first);
    }

    /// Returns how long nothing may change before the files count as complete, or `None` if they already do.
    fn quiet(&self, pending: &Pending) -> Option<Duration> {
        if pending.noticed.is_writing {
            return Some(WRITE_QUIET);
        }
        let Noticed {
            is_uncertain,
            is_unannounced,
            ..
        } = pending.noticed;
        if !(is_uncertain || is_unannounced) || self.trusts() {
            return None;
        }
        // If everything is watched, all writers are known.
        let is_watched = self.polling().is_none() && !is_unannounced;
        let may_be_written = !is_watched && pending.walk.is_younger_than(WRITE_QUIET);
        Some(if may_be_written {
            WRITE_QUIET
        } else {
            LOOK_QUIET
        })
    }

    /// Returns whether files count as complete as soon as they are there. True if no delay was asked for.
    fn trusts(&self) -> bool {
        self.timing.debounce.is_zero()
    }

    /// Arms everything again, before the files are read.
    fn arm(&mut self, trusts: bool) {
        // Repeat until the state is the same before and after, so that exactly the files that are there are watched.
        // If it never stays the same, it is looked at again soon.
        let mut rests = false;
        for _ in 0..16 {
            let walk = self.sources.walk();
            self.arm_notifications(&walk, trusts);
            self.walk = self.sources.walk();
            rests = self.walk.leads_as(&walk);
            if rests {
                break;
            }
        }
        self.is_network = is_network(&self.walk);
        self.looked = Instant::now();
        if !rests {
            self.set_gap();
        }
    }

    /// Returns when the files are to be read if nothing more happens.
    fn due(&self, pending: &Pending) -> Instant {
        let debounce = self.timing.debounce;
        match self.quiet(pending) {
            Some(quiet) => pending.last + debounce.max(quiet),
            None => (pending.last + debounce).min(pending.first + MAX_WAIT.max(debounce)),
        }
    }

    /// Returns whether `until` has come, and, if a file may be incomplete, everything is as it was.
    fn has_settled(&mut self, pending: &Pending, until: Instant) -> bool {
        if Instant::now() < until {
            return false;
        }
        if self.quiet(pending).is_none() {
            return true;
        }
        let walk = self.sources.walk();
        if walk == pending.walk {
            self.forget_writers();
            return true;
        }
        self.note(pending.noticed, walk, pending.first);
        false
    }

    fn note(&mut self, noticed: Noticed, walk: Walk, first: Instant) {
        self.pending = Some(Pending {
            first,
            last: Instant::now(),
            noticed,
            walk,
        });
    }

    /// Looks whether anything has changed.
    fn look(&mut self) {
        self.looked = Instant::now();
        self.counts.looks += 1;
        self.is_as_armed();
    }

    /// Returns why the files must be polled often, or `None` if they need not be.
    pub(crate) fn polling(&self) -> Option<Polling> {
        self.gap().or(self.is_network.then_some(Polling::Network))
    }

    fn look_every(&self) -> Duration {
        match self.polling() {
            Some(_) => self.timing.poll,
            None => self.timing.poll.max(LOOK_WATCHED),
        }
    }
}

#[cfg(target_os = "linux")]
impl Watcher {
    fn gap(&self) -> Option<Polling> {
        match &self.inotify {
            Ok(inotify) => inotify.gap(),
            Err(reason) => Some(*reason),
        }
    }

    fn arm_notifications(&mut self, walk: &Walk, trusts: bool) {
        if let Ok(inotify) = &mut self.inotify {
            inotify.arm(walk, trusts);
        }
    }

    fn set_gap(&mut self) {
        if let Ok(inotify) = &mut self.inotify {
            inotify.set_gap();
        }
    }

    fn forget_writers(&mut self) {
        if let Ok(inotify) = &mut self.inotify {
            inotify.forget_writers();
        }
    }

    fn wait_for_the_bell(&mut self, timeout: Duration) {
        let queue = self.inotify.as_ref().ok().map(Inotify::as_fd);
        self.bell.wait(queue, timeout);
    }

    fn take_notifications(&mut self) {
        let Ok(inotify) = &mut self.inotify else {
            return;
        };
        let mut noticed = inotify.drain(&self.sources);
        self.counts.notifications += noticed.count;
        let pending = self.pending.as_ref();
        let is_noted = pending.is_some_and(|pending| pending.noticed.is_writing);
        // Somebody may be writing to a file that was new when it was armed, without a notification.
        if noticed.count == 0 && (is_noted || !inotify.is_writing()) {
            return;
        }
        let mut first = Instant::now();
        if let Some(pending) = self.pending.take() {
            first = pending.first;
            noticed.is_uncertain |= pending.noticed.is_uncertain;
            noticed.is_unannounced |= pending.noticed.is_unannounced;
        }
        let walk = self.sources.walk();
        // New directories on the way are watched from now on, so that writes to them are noticed.
        inotify.arm(&walk, self.timing.debounce.is_zero());
        noticed.is_writing = inotify.is_writing();
        self.note(noticed, walk, first);
    }
}

#[cfg(not(target_os = "linux"))]
impl Watcher {
    fn gap(&self) -> Option<Polling> {
        Some(if self.timing.poll_only {
            Polling::Asked
        } else {
            Polling::Unavailable
        })
    }

    fn arm_notifications(&mut self, _walk: &Walk, _trusts: bool) {}

    fn set_gap(&mut self) {}

    fn forget_writers(&mut self) {}

    fn take_notifications(&mut self) {}

    fn wait_for_the_bell(&mut self, timeout: Duration) {
        self.bell.wait(timeout);
    }
}

/// Returns whether any file is on a file system that other hosts can write to without a notification here.
#[cfg(target_os = "linux")]
fn is_network(walk: &Walk) -> bool {
    /// NFS, SMB 1, SMB 2 and 3, CIFS, FUSE, 9p, Ceph, AFS, Coda, NCP, VirtualBox's, OCFS2, GFS2.
    const MAGIC: [u32; 13] = [
        0x6969,
        0x517b,
        0xfe53_4d42,
        0xff53_4d42,
        0x6573_5546,
        0x0102_1997,
        0x00c3_6400,
        0x5346_414f,
        0x7375_7245,
        0x564c,
        0x786f_4256,
        0x7461_636f,
        0x0116_1970,
    ];
    let ends = walk.resolutions().filter_map(|resolution| resolution.end());
    let mut kinds = ends.filter_map(|end| rustix::fs::statfs(&end).ok());
    kinds.any(|statfs| MAGIC.contains(&(statfs.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_network(_walk: &Walk) -> bool {
    false
}
