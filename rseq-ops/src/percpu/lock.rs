//! The lock of this module's structures, for rare operations.
//!
//! A signal handler may ask for it and go elsewhere if it is held ([`Lock::try_lock`]), but must not wait
//! ([`Lock::lock`]): the code that it interrupted may be the holder.

use super::sys::{self, AtomicU32, Ordering};

/// A lock that only spins: the kernel knows nothing of it.
#[derive(Debug, Default)]
pub(super) struct Lock(AtomicU32);

/// A lock that is held; unlocks it when dropped.
pub(super) struct Locked<'l>(&'l Lock);

impl Lock {
    sys::const_fn! {
        pub(super) fn new() -> Self {
            Lock(AtomicU32::new(0))
        }
    }

    /// Locks, unless the lock is held. Never waits: async-signal-safe.
    pub(super) fn try_lock(&self) -> Option<Locked<'_>> {
        self.0
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Locked(self))
    }

    /// Locks, after waiting until the lock is free. Not async-signal-safe.
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
