//! What a forked child finds: zeroes, and locks that do not hang it.
//!
//! The child of a `fork` has one thread, and a copy of counters that hold the sections of threads
//! it does not have, of locks that nobody will release, of a worker that does not run. All such
//! state lies in memory that the kernel wipes in every child, whoever forks and from where
//! (`MADV_WIPEONFORK`, Linux 4.14): by `fork`, `_Fork` or `clone`, in a signal handler, with the
//! lead of a grace period taken by another thread. Zeroes are the state before the first use, so
//! in the child every domain sets itself up again at its first use there, with counters at
//! addresses that no older guard knows.
//!
//! What threads are in the middle of (the rounds of grace periods and of barriers) is behind pointers
//! that are wiped, in wiped memory too: the child makes its own elsewhere, so nothing that began in its
//! parent has a part in it.
//!
//! What cannot be zero (collections) is on the heap, behind such pointers: the child leaks it and makes
//! its own. What remembers such an object (`Driver`: in a cookie,
//! a future, a job) asks whether it is of the process that runs.
//!
//! That leaves a child whose one thread is in the middle of an operation of ours: a handler forked
//! and returned. It ends the operation on copies of its parent's objects, which nobody else
//! knows, and must not wait there for threads that it does not have. So
//! * locks on the heap are those of [`mutex`](super::mutex), which such a child takes over;
//! * nothing waits for another thread to make something ([`once`](crate::sync::once));
//! * whoever waits for others looks again every [`LOOK_AGAIN`] whether this is still the process in
//!   which there are others: the kernel begins a wait without a limit anew after a handler, and
//!   the copy of the word does not change. Words that are wiped need none of it, if they are slept on
//!   while they are not zero;
//! * locks in wiped memory ([`WipedLock`](super::mutex::WipedLock)) are held with signals blocked: no handler takes them away from
//!   under their holder.

use core::time::Duration;

use crate::sync::{AtomicU64, Ordering, const_fn, next_generation, wiped};

/// The longest time that a thread sleeps on a word that is not wiped, before it asks whether it is in a
/// child.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which process this is, counted from the first one that used this library. 0: not known yet.
pub(crate) struct Generation(AtomicU64);

impl Generation {
    const_fn! {
        /// Not known yet.
        pub(crate) fn new() -> Self {
            Generation(AtomicU64::new(0))
        }
    }
}

wiped! {
    static GENERATION: Generation
}

/// Returns a number that differs between a process and the children it forked. Async-signal-safe.
pub(crate) fn generation() -> u64 {
    let known = GENERATION.get().0.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    let Generation(generation) = GENERATION.prepared();
    // Taken before it is in force: a child that is forked in between must not take it again.
    let next = next_generation();
    generation
        .compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire)
        .map_or_else(|first| first, |_| next)
}
