//! Two locks that never hang a forked child: one for objects on the heap, one in memory that a fork wipes.
//!
//! A child that was forked by a signal handler which returns goes on in the middle of what its one thread
//! was doing, with the parent's copies of heap objects. Their locks may be held by threads that the child
//! does not have. So a [`Mutex`] records the process of its holder, and a child does not wait for a holder
//! of another process: it leaves the protected data as it is, perhaps half changed, and goes on with an
//! empty value.
//!
//! It is not for statics, nor for other objects that all threads of a child can reach: one of them could
//! replace the data while another uses it.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use crate::sync::fork;
use crate::sync::{AtomicU32, Ordering, const_fn, futex_wait, futex_wake, thread, without_signals};

/// Set in the word, beside the [`holder`], while a thread sleeps on it or is about to.
const CONTENDED: u32 = 2;

/// Returns the word of a lock that a thread of this process holds: never 0, which is free.
fn holder() -> u32 {
    // 30 bits are enough: a child's number is its parent's plus one.
    (fork::generation() as u32) << 2 | 1
}

/// Like the standard library's mutex, but never poisoned: no user code runs under such a lock, so no panic
/// can leave its data half changed.
pub(crate) struct Mutex<T> {
    word: AtomicU32,
    data: UnsafeCell<T>,
}

// SAFETY: one thread at a time has the data.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: one thread at a time has the data.
unsafe impl<T: Send> Send for Mutex<T> {}

/// Gives access to the data until it is dropped. It may be shared and sent as a `&mut T` may.
pub(crate) struct MutexGuard<'l, T>(&'l Mutex<T>, PhantomData<&'l mut T>);

impl<T: Default> Mutex<T> {
    pub(crate) fn new(data: T) -> Self {
        Mutex {
            word: AtomicU32::new(0),
            data: UnsafeCell::new(data),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Acquire: pairs with the release in `drop`: what was done under the lock before.
        let free = self
            .word
            .compare_exchange(0, holder(), Ordering::Acquire, Ordering::Relaxed);
        if free.is_err() {
            self.lock_slow();
        }
        #[cfg(rseq_ops_delay_injection)]
        crate::testing::locked();
        MutexGuard(self, PhantomData)
    }

    #[cold]
    fn lock_slow(&self) {
        loop {
            // Asked for each time, because this process may be a forked child by now.
            let held = holder();
            match self.word.load(Ordering::Relaxed) {
                0 => {
                    // Other threads may still sleep on the word, so it stays marked.
                    let free = self.word.compare_exchange(
                        0,
                        held | CONTENDED,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    );
                    if free.is_ok() {
                        return;
                    }
                }
                seen if seen & !CONTENDED != held => {
                    self.word.store(held, Ordering::Relaxed);
                    // The holder is a thread of a process that this one was forked from, and not the
                    // calling thread, which never asks for a lock that it has. So this object is a copy
                    // of one that was made in the parent. A child no longer finds it through wiped
                    // memory, and everything kept elsewhere (cookies, futures, jobs) asks
                    // `Driver::is_current_process` first.
                    // SAFETY: so the calling thread, in the middle of what it did at the fork, is the
                    // only one that knows the object. The data may be half changed: it is neither looked
                    // at nor dropped.
                    unsafe { self.data.get().write(T::default()) };
                    return;
                }
                seen => {
                    let mine = held | CONTENDED;
                    // Whoever releases the lock finds the mark. If it was released already, the word
                    // differs and we do not sleep.
                    let _ = self.word.compare_exchange(
                        seen,
                        mine,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    futex_wait(&self.word, mine, Some(fork::LOOK_AGAIN));
                }
            }
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.0.word.swap(0, Ordering::Release) & CONTENDED != 0 {
            futex_wake(&self.0.word, 1);
        }
    }
}

/// A lock in memory that a fork wipes, for rare and short work. A child that is forked while another thread
/// holds the lock finds it free. Signals are blocked while it is held: else a handler could fork, and in
/// the child the holder would go on without its lock.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct WipedLock(AtomicU32);

/// Holds the lock until it is dropped, also by a panic, as where a thread cannot be started.
struct Held<'l>(&'l AtomicU32);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl WipedLock {
    const_fn! {
        pub(crate) fn new() -> Self {
            WipedLock(AtomicU32::new(0))
        }
    }

    /// Runs `f` while no other thread is in such a call. If `f` panics, the lock is free again.
    pub(crate) fn with<R>(&self, f: impl Fn() -> R) -> R {
        loop {
            let result = without_signals(|| {
                // Acquire: pairs with the release in `drop`: what was done under the lock before.
                self.0
                    .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                    .ok()?;
                let _held = Held(&self.0);
                #[cfg(rseq_ops_delay_injection)]
                crate::testing::locked();
                Some(f())
            });
            match result {
                Some(result) => return result,
                None => thread::sleep(Duration::from_micros(50)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiped_lock_is_free_after_a_panic_and_signals_are_not_blocked() {
        let lock = WipedLock::new();
        let mask = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with("SigBlk:"));
            line.map(String::from)
        };
        let before = mask();
        let panics = || lock.with(|| std::panic::resume_unwind(Box::new("on purpose")));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(mask(), before);
        assert_eq!(lock.with(|| 1), 1, "the lock is held still");
    }
}
