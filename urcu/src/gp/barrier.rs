//! The process-wide barriers, which the grace periods of all domains share.

use crate::gp::sequence::Sequence;
use crate::sync::{self, AtomicPtr, Ordering};
use crate::sys::{self, MembarrierError};

/// The sequence of barriers; null until the first barrier, in every process.
pub(crate) struct Barriers(AtomicPtr<Sequence>);

sync::wiped! {
    static BARRIERS: Barriers
}

/// Restarts all sequences in flight, behind a full barrier on all CPUs that run this process. Callers that
/// come while one barrier is on its way share the next one. Returns whether a system call was made for
/// this caller.
///
/// # Errors
/// If the kernel refuses what it granted at registration: for want of memory, or because of a filter that
/// was installed since. The caller tries again, or panics by [`sys::cannot_end`] when it holds nothing that
/// others wait for.
///
/// # Panics
/// If the system has no memory for the first barrier.
pub(crate) fn restart_sequences() -> Result<bool, MembarrierError> {
    sys::restart_sequences(|issue| BARRIERS.prepared().sequence().share(issue))
}

impl Barriers {
    sync::const_fn! {
        /// Returns no barriers yet.
        pub(crate) fn new() -> Self {
            Barriers(AtomicPtr::new(core::ptr::null_mut()))
        }
    }

    /// Returns the sequence of barriers, and makes it at the first use, for good.
    fn sequence(&self) -> &'static Sequence {
        // Acquire: pairs with the release in `make`.
        // SAFETY: null, or allocated for good and zeroed, which is a state at rest.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }.unwrap_or_else(|| self.make())
    }

    #[cold]
    fn make(&self) -> &'static Sequence {
        let made = sys::allocate::<Sequence>();
        let first = self.0.compare_exchange(
            core::ptr::null_mut(),
            made,
            Ordering::Release,
            Ordering::Acquire,
        );
        // SAFETY: what is there is allocated for good and zeroed. What was not published is nobody else's.
        // (If a signal handler has forked since it was allocated, nobody uses it in the parent's name,
        // because this thread had not published it there; and zeroes are what a child needs.)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barriers_that_came_too_late_are_freed() {
        const ROUNDS: usize = 2_000;
        // The memory of so many, on each CPU, in which nobody else's objects are that far away.
        let far = ROUNDS * size_of::<Sequence>();
        let barriers = Box::leak(Box::new(Barriers::new()));
        let first = barriers.sequence();
        let lowest = || {
            let free = sys::allocate::<Sequence>();
            // SAFETY: allocated just now, and nobody else's.
            unsafe { sys::free(free) };
            free.addr()
        };
        let before = lowest();
        for _ in 0..ROUNDS {
            // As a thread that found none yet, when another one had put its own there.
            assert!(core::ptr::eq(barriers.make(), first));
        }
        let after = lowest();
        assert!(after.abs_diff(before) < far / 2, "{before:x} {after:x}");
    }
}
