//! The lock of the emulated machine.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use loom::sync::{Condvar, Mutex as LoomMutex};

/// A lock with the face of the standard one. Loom's own cannot be taken again after a panic.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    taken: LoomMutex<bool>,
    given: Condvar,
    value: std::cell::UnsafeCell<T>,
}

// SAFETY: only the holder of the lock reaches the value.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex {
            taken: LoomMutex::new(false),
            given: Condvar::new(),
            value: std::cell::UnsafeCell::new(value),
        }
    }

    /// Never an error: whoever uses this goes on after a panic in any case.
    pub(crate) fn lock(&self) -> Result<Locked<'_, T>, PoisonError<Locked<'_, T>>> {
        let mut taken = self.taken.lock().expect("no panic");
        while *taken {
            taken = self.given.wait(taken).expect("no panic");
        }
        *taken = true;
        Ok(Locked { mutex: self })
    }
}

/// The lock is held.
pub(crate) struct Locked<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: we hold the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        *self.mutex.taken.lock().expect("no panic") = false;
        self.mutex.given.notify_one();
    }
}
