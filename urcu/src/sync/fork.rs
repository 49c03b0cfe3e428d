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
//! its own. What remembers such an object ([`Driver`](crate::driver::Driver): in a cookie,
//! a future, a job) asks whether it is of the process that runs.
//!
//! That leaves a child whose one thread is in the middle of an operation of ours: a handler forked
//! and returned. It ends the operation on copies of its parent's objects, which nobody else
//! knows, and must not wait there for threads that it does not have. So
//! * locks on the heap are those of [`lock`](crate::sync::mutex), which such a child takes over;
//! * nothing waits for another thread to make something ([`once`](crate::sync::once));
//! * whoever waits for others looks again every [`LOOK_AGAIN`] whether this is still the process in
//!   which there are others: the kernel begins a wait without a limit anew after a handler, and
//!   the copy of the word does not change. Words that are wiped need none of it, if they are slept on
//!   while they are not zero;
//! * locks in wiped memory ([`Wiped`]) are held with signals blocked: no handler takes them away from
//!   under their holder.

use core::time::Duration;
use std::sync::Arc;

use crate::domain::State;
use crate::driver::Driver;
use crate::driver::worker::Handed;
use crate::gp::sequence::Sequence;
use crate::sync::mutex::Wiped;
use crate::sync::{self, AtomicPtr, AtomicU32, AtomicU64, Ordering, process};
use crate::sys;

/// How long a thread sleeps, at most, on a word that is not wiped, before it asks whether it is in a
/// child.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a process has once. A whole page, or several, because only whole pages can be wiped.
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
#[cfg_attr(not(target_arch = "aarch64"), repr(C, align(4096)))]
pub(crate) struct Process {
    /// The global domain's. At an address that the compiler knows.
    pub(crate) global: State,
    /// See [`Process::barriers`].
    barriers: AtomicPtr<Sequence>,
    /// What the worker was given and has not fetched yet, the last first.
    pub(crate) handed: AtomicPtr<Handed>,
    /// What it keeps, for whoever drives; made by the first one.
    pub(crate) kept: AtomicPtr<Vec<Arc<Driver>>>,
    /// Changes when the worker has reason to look around; the word it sleeps on.
    pub(crate) poked: AtomicU32,
    /// 1 while it sleeps.
    pub(crate) worker_sleeps: AtomicU32,
    /// 1 once it was started, under the lock.
    pub(crate) worker_started: AtomicU32,
    /// 1 while one of the worker's threads drives grace periods. The others are inside a user's code,
    /// but for one that stands by.
    pub(crate) driving: AtomicU32,
    /// Changes whenever one of them gives that up.
    pub(crate) given_up: AtomicU32,
    /// 1 while one runs callbacks.
    pub(crate) calling: AtomicU32,
    /// 1 while one stands by, or is being started for that.
    pub(crate) standing: AtomicU32,
    /// Changes when there is something to drive while nobody does; the word that whoever stands by
    /// sleeps on.
    pub(crate) relief: AtomicU32,
    /// 1 while that sleep has a time limit: it need not be woken.
    pub(crate) watching: AtomicU32,
    pub(crate) starting: Wiped,
    /// Held while a hook is fetched or replaced.
    pub(crate) hooks: Wiped,
    /// Which process this is, counted from the first one that used this library. 0: not known yet.
    generation: AtomicU64,
}

impl Process {
    sync::const_fn! {
        /// All zeroes.
        pub(crate) fn new() -> Self {
            Process {
                global: State::new(),
                barriers: AtomicPtr::new(core::ptr::null_mut()),
                handed: AtomicPtr::new(core::ptr::null_mut()),
                kept: AtomicPtr::new(core::ptr::null_mut()),
                poked: AtomicU32::new(0),
                worker_sleeps: AtomicU32::new(0),
                worker_started: AtomicU32::new(0),
                driving: AtomicU32::new(0),
                given_up: AtomicU32::new(0),
                calling: AtomicU32::new(0),
                standing: AtomicU32::new(0),
                relief: AtomicU32::new(0),
                watching: AtomicU32::new(0),
                starting: Wiped::new(),
                hooks: Wiped::new(),
                generation: AtomicU64::new(0),
            }
        }
    }

    /// The process-wide barriers, which the grace periods of all domains share. Made at the first use,
    /// for good.
    ///
    /// # Panics
    /// If the system has no memory.
    pub(crate) fn barriers(&self) -> &'static Sequence {
        // Acquire: pairs with the release in `make_barriers`.
        // SAFETY: null, or allocated for good and zeroed, which is a state at rest.
        unsafe { self.barriers.load(Ordering::Acquire).as_ref() }
            .unwrap_or_else(|| self.make_barriers())
    }

    #[cold]
    fn make_barriers(&self) -> &'static Sequence {
        let made = sys::allocate::<Sequence>();
        let first = self.barriers.compare_exchange(
            core::ptr::null_mut(),
            made,
            Ordering::Release,
            Ordering::Acquire,
        );
        // SAFETY: as above. What was not published is nobody else's. (Should a handler have forked since
        // it was allocated, then nobody uses it in the parent's name, for it was not published there
        // by this thread; and zeroes are what a child needs.)
        unsafe {
            match first {
                Ok(_) => &*made,
                Err(first) => {
                    sys::free(made);
                    &*first
                }
            }
        }
    }
}

/// A number that differs between a process and the children it forked. Async-signal-safe.
pub(crate) fn generation() -> u64 {
    let known = process().generation.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    // Before anything is stored there.
    sync::wipe_on_fork();
    // Taken before it is in force: a child that is forked in between must not take it again.
    let next = sync::next_generation();
    process()
        .generation
        .compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire)
        .map_or_else(|first| first, |_| next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barriers_that_came_too_late_are_freed() {
        const ROUNDS: usize = 2_000;
        // The memory of so many, on each CPU, in which nobody else's objects are that far away.
        let far = ROUNDS * size_of::<Sequence>();
        let process = Box::leak(Box::new(Process::new()));
        let first = process.barriers();
        let lowest = || {
            let free = sys::allocate::<Sequence>();
            // SAFETY: allocated just now, and nobody else's.
            unsafe { sys::free(free) };
            free.addr()
        };
        let before = lowest();
        for _ in 0..ROUNDS {
            // As a thread that found none yet, when another one had put its own there.
            assert!(core::ptr::eq(process.make_barriers(), first));
        }
        let after = lowest();
        assert!(after.abs_diff(before) < far / 2, "{before:x} {after:x}");
    }
}
