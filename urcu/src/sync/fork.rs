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
//! The rounds of grace periods and of barriers, in the middle of which threads may be, lie in wiped memory
//! too, behind pointers that are wiped: the child makes its own rounds elsewhere, and nothing that began in
//! its parent takes part in them.
//!
//! Objects that cannot be zero (collections) are on the heap, behind such pointers: the child leaks its
//! parent's and makes its own. Cookies, futures and jobs, which remember such an object (a `Driver`), first
//! ask whether it belongs to the running process.
//!
//! That leaves a child whose one thread is in the middle of an operation of ours: a handler forked
//! and returned. It ends the operation on copies of its parent's objects, which nobody else
//! knows, and must not wait there for threads that it does not have. So
//! * locks on the heap are those of [`mutex`](super::mutex), which such a child takes over;
//! * nothing waits for another thread to make something ([`once`](crate::sync::once));
//! * whoever waits for other threads asks every [`LOOK_AGAIN`] whether it is still in the process that has
//!   them: after a signal handler the kernel resumes a wait without a limit, and in a child the copy of the
//!   word never changes. Wiped words need no such limit if threads sleep on them only while they are not
//!   zero;
//! * locks in wiped memory ([`WipedLock`](super::mutex::WipedLock)) are held with signals blocked: no handler takes them away from
//!   under their holder.

use core::time::Duration;

use crate::sync::{AtomicU64, Ordering, const_fn, next_generation, wiped};

/// The longest time that a thread sleeps on a word that is not wiped, before it asks whether it is in a
/// child.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The number of this process, counted from the first one that used this library. 0: not known yet.
pub(crate) struct Generation(AtomicU64);

impl Generation {
    const_fn! {
        /// Returns a generation that is not known yet.
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
