//! A reference that many threads use until its target goes.

use core::fmt;
use core::ptr::NonNull;

use crate::sync::fork;
use crate::sync::{AtomicU32, Ordering, futex_wait, futex_wake};

/// Set when nobody may use the reference any more.
const CLOSED: u32 = 1 << 31;

/// A reference to a target that stays until [`Rundown::close`] has returned.
pub(crate) struct Rundown<T> {
    /// The number of users, and [`CLOSED`].
    users: AtomicU32,
    target: NonNull<T>,
}

// SAFETY: gives out nothing but `&T`.
unsafe impl<T: Sync> Send for Rundown<T> {}
// SAFETY: gives out nothing but `&T`.
unsafe impl<T: Sync> Sync for Rundown<T> {}

/// Counts one user, until it is dropped.
struct User<'r>(&'r AtomicU32);

impl<T> Rundown<T> {
    /// # Safety
    /// [`Rundown::close`] is called before the target goes.
    pub(crate) unsafe fn new(target: &T) -> Self {
        Rundown {
            users: AtomicU32::new(0),
            target: NonNull::from(target),
        }
    }

    /// Returns the address of the target, for comparisons: the target may be gone.
    pub(crate) fn target(&self) -> *const T {
        self.target.as_ptr()
    }

    /// Runs `f` while the target cannot go. Returns `None` if it may be gone.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        // Acquire: pairs with the release in `close`: a caller that is told "closed" may rely on what
        // happened before.
        let mut seen = self.users.load(Ordering::Acquire);
        while seen & CLOSED == 0 {
            let one_more = self.users.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Relaxed,
                Ordering::Acquire,
            );
            match one_more {
                Ok(_) => {
                    let _user = User(&self.users);
                    #[cfg(rseq_ops_delay_injection)]
                    crate::testing::locked();
                    // SAFETY: whoever lets it go waits in `close` until we have left.
                    return Some(f(unsafe { self.target.as_ref() }));
                }
                Err(other) => seen = other,
            }
        }
        None
    }

    /// Keeps new users out and waits until the last one has left, or until `is_over` returns true.
    pub(crate) fn close(&self, is_over: impl Fn() -> bool) {
        // AcqRel: see `with` and `User`.
        let mut seen = self.users.fetch_or(CLOSED, Ordering::AcqRel) | CLOSED;
        while seen != CLOSED && !is_over() {
            futex_wait(&self.users, seen, Some(fork::LOOK_AGAIN));
            // Acquire: pairs with the release of the last user.
            seen = self.users.load(Ordering::Acquire);
        }
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        // Release: pairs with the acquires in `close`: what was done with the target comes first.
        if self.0.fetch_sub(1, Ordering::Release) == CLOSED + 1 {
            futex_wake(self.0, 1);
        }
    }
}

impl<T> fmt::Debug for Rundown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rundown")
    }
}
