//! A lock that survives forks: if another thread held it when this process was forked off, it can be taken over,
//! because that thread does not exist here.

use crate::fork;
use crate::sync::{AtomicU32, Ordering, const_fn, pause};

const FREE: u32 = 0;

/// A lock for writers. The word is zero, or the fork generation of the holder.
#[derive(Debug)]
pub(crate) struct Lock(AtomicU32);

/// The way in which a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Free,
    /// Taken over from a thread of the parent process, which may have been in the middle of a change.
    Inherited,
}

impl Lock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Lock(AtomicU32::new(FREE))
        }
    }

    /// Takes the lock, unless another thread of this process holds it.
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

    /// Takes the lock. Waits while another thread of this process holds it.
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

    /// Makes the lock look as if a thread of another process held it.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        self.0.store(fork::generation() + 1, Ordering::Relaxed);
    }

    /// Releases the lock, which the caller holds.
    #[inline]
    pub(crate) fn unlock(&self) {
        // Release: pairs with the acquire in `try_lock`.
        self.0.store(FREE, Ordering::Release);
    }
}
