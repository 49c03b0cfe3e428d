//! A lock that does not outlive its holder's process: one that another thread held while this process was
//! forked off is nobody's, because that thread is not here.

use crate::fork;
use crate::sync::{AtomicU32, Ordering, const_fn, pause};

const FREE: u32 = 0;

/// Excludes those who change something from one another. Zero, or the fork generation of the holder.
#[derive(Debug)]
pub(crate) struct Lock(AtomicU32);

/// The way in which a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Free,
    /// From a thread of the parent process, which may have been in the middle of something.
    Inherited,
}

impl Lock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Lock(AtomicU32::new(FREE))
        }
    }

    /// Takes the lock unless another thread of this process has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Got> {
        let generation = fork::generation();
        let seen = self.0.load(Ordering::Relaxed);
        if seen == generation {
            return None;
        }
        // Acquire: pairs with the release in `unlock`, so that we see what the last holder did.
        self.0
            .compare_exchange(seen, generation, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        Some(if seen == FREE {
            Got::Free
        } else {
            Got::Inherited
        })
    }

    /// Takes the lock, and waits until another thread of this process has given it back.
    #[inline]
    pub(crate) fn lock(&self) -> Got {
        let mut turns = 0;
        loop {
            if let Some(got) = self.try_lock() {
                return got;
            }
            pause(&mut turns);
        }
    }

    /// As if a thread of another process had the lock.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        self.0.store(fork::generation() + 1, Ordering::Relaxed);
    }

    /// Gives the lock back. The caller has it.
    #[inline]
    pub(crate) fn unlock(&self) {
        // Release: pairs with the acquire in `try_lock`.
        self.0.store(FREE, Ordering::Release);
    }
}
