//! A word that one thread sleeps on until there is reason to look around.

use core::time::Duration;

use crate::sync::{AtomicU32, Ordering, const_fn, fence, futex_wait, futex_wake};

/// A place where a thread without work sleeps until it is unparked. Zeroes at rest,
/// so it may lie in memory that a fork wipes.
///
/// The thread notes what it has [seen](Parker::seen), looks around, and [parks](Parker::park) with that:
/// it does not sleep over an [`unpark`](Parker::unpark) in between.
#[derive(Debug)]
pub(crate) struct Parker {
    /// The number of times it was unparked; the word it sleeps on.
    unparked: AtomicU32,
    /// 1 while the thread sleeps, or is about to.
    sleeps: AtomicU32,
}

impl Parker {
    const_fn! {
        /// Nobody sleeps.
        pub(crate) fn new() -> Self {
            Parker {
                unparked: AtomicU32::new(0),
                sleeps: AtomicU32::new(0),
            }
        }
    }

    /// Makes the thread look around. Async-signal-safe.
    pub(crate) fn unpark(&self) {
        self.unparked.fetch_add(1, Ordering::Release);
        // If our change comes before its look in `park`, it does not sleep; else its mark comes before our
        // look, because of the fence there.
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::Relaxed) != 0 {
            futex_wake(&self.unparked, 1);
        }
    }

    /// Returns what to call [`Parker::park`] with, after a look around.
    pub(crate) fn seen(&self) -> u32 {
        self.unparked.load(Ordering::Acquire)
    }

    /// Sleeps, unless unparked since that was `seen`, for `most` at most. May return for no reason.
    pub(crate) fn park(&self, seen: u32, most: Option<Duration>) {
        self.sleeps.store(1, Ordering::Relaxed);
        // Either `unpark` sees that we sleep, or we see its change.
        fence(Ordering::SeqCst);
        futex_wait(&self.unparked, seen, most);
        self.sleeps.store(0, Ordering::Relaxed);
    }
}
