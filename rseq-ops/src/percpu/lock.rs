//! The lock of this module's structures, for rare operations.
//!
//! A signal handler may call [`Lock::try_lock`], and do without the lock if it is held. It must not wait in
//! [`Lock::lock`], because the code that it has interrupted may be the holder.

use super::sys::{self, AtomicU32, Ordering};

/// A spin lock. The kernel knows nothing of it.
#[derive(Debug, Default)]
pub(super) struct Lock(AtomicU32);

/// The guard of a lock that is held. Unlocks it when dropped.
pub(super) struct Locked<'l>(&'l Lock);

impl Lock {
    sys::const_fn! {
        pub(super) fn new() -> Self {
            Lock(AtomicU32::new(0))
        }
    }

    /// Takes the lock, unless it is held. Never waits. Async-signal-safe.
    pub(super) fn try_lock(&self) -> Option<Locked<'_>> {
        self.0
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Locked(self))
    }

    /// Waits until the lock is free, and takes it. Not async-signal-safe.
    pub(super) fn lock(&self) -> Locked<'_> {
        loop {
            if let Some(locked) = self.try_lock() {
                return locked;
            }
            sys::wait_for(&self.0);
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}
