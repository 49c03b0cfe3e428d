//! A place where one thread sleeps until another has a reason to wake it.

use core::time::Duration;

use crate::sync::{AtomicU32, Ordering, const_fn, fence, futex_wait, futex_wake};

/// A place where a thread without work sleeps until it is unparked. It is all zeroes at rest, so it may lie
/// in memory that a fork wipes.
///
/// The thread calls [`seen`](Parker::seen), looks for work, and then [parks](Parker::park) with what `seen`
/// returned. If an [`unpark`](Parker::unpark) came in between, it does not sleep.
#[derive(Debug)]
pub(crate) struct Parker {
    /// The number of times it was unparked; the word it sleeps on.
    unparked: AtomicU32,
    /// 1 while the thread sleeps, or is about to.
    sleeps: AtomicU32,
}

impl Parker {
    const_fn! {
        /// Returns a parker on which nobody sleeps.
        pub(crate) fn new() -> Self {
            Parker {
                unparked: AtomicU32::new(0),
                sleeps: AtomicU32::new(0),
            }
        }
    }

    /// Wakes the thread, or keeps it from sleeping, so that it looks for work again. Async-signal-safe.
    pub(crate) fn unpark(&self) {
        self.unparked.fetch_add(1, Ordering::Release);
        // If our change comes before its look in `park`, it does not sleep; else its mark comes before our
        // look, because of the fence there.
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::Relaxed) != 0 {
            futex_wake(&self.unparked, 1);
        }
    }

    /// Returns the value to pass to [`Parker::park`] if a look for work, after this, finds none.
    pub(crate) fn seen(&self) -> u32 {
        self.unparked.load(Ordering::Acquire)
    }

    /// Sleeps for `most` at most, unless the thread was unparked since [`Parker::seen`] returned `seen`.
    /// May return for no reason.
    pub(crate) fn park(&self, seen: u32, most: Option<Duration>) {
        self.sleeps.store(1, Ordering::Relaxed);
        // Either `unpark` sees that we sleep, or we see its change.
        fence(Ordering::SeqCst);
        futex_wait(&self.unparked, seen, most);
        self.sleeps.store(0, Ordering::Relaxed);
    }
}
