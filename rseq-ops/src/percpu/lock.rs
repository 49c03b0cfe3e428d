//! The lock of this module's structures.

use super::machine::{self, AtomicU32, Ordering};

/// A lock for what is rare and never done in signal handlers.
#[derive(Debug, Default)]
pub(super) struct Lock(AtomicU32);

/// Unlocks at its end.
pub(super) struct Locked<'l>(&'l Lock);

impl Lock {
    machine::const_fn! {
        pub(super) fn new() -> Self {
            Lock(AtomicU32::new(0))
        }
    }

    /// The lock, unless somebody has it: then whoever asks goes elsewhere, which is what makes
    /// this usable in signal handlers.
    pub(super) fn try_lock(&self) -> Option<Locked<'_>> {
        self.0
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Locked(self))
    }

    /// The lock, after waiting for it: not for signal handlers.
    pub(super) fn lock(&self) -> Locked<'_> {
        loop {
            if let Some(locked) = self.try_lock() {
                return locked;
            }
            machine::wait_for(&self.0);
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}
