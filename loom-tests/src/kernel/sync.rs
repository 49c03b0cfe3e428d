//! The stand-in for `urcu/src/sync/mutex.rs`, made of loom's atomics and parking, which explores less. The real lock
//! has models of its own.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::cpu::{blocked, is_unwinding, step};
use super::lock::Lock;

pub(crate) struct Mutex<T> {
    lock: Lock,
    data: UnsafeCell<T>,
}

// SAFETY: one thread at a time has the data.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: one thread at a time has the data; and loom runs all threads on one of the system.
unsafe impl<T: Send> Send for Mutex<T> {}

pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(data: T) -> Self {
        Mutex {
            lock: Lock::new(),
            data: UnsafeCell::new(data),
        }
    }

    /// Takes the lock. An interrupt can land here, because the shipped code takes locks only outside sequences.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        step();
        if !self.lock.try_lock() {
            blocked(|| self.lock.lock());
        }
        MutexGuard(self)
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
        if !is_unwinding() {
            self.0.lock.unlock();
        }
    }
}
