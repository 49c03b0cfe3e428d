//! The standard library's locks, from loom's atomics and parking.
//!
//! They order no more than the standard library promises: a lock what was done under it before; a
//! [`RwLock`] also readers after writers, but neither readers after readers, nor, unless a writer
//! has to wait, writers after readers. Nobody is poisoned.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::LockResult;
use std::time::Duration;

use super::cpu::{blocked, is_unwinding, step};
use super::lock::Lock;
use super::sleep::{Sleeper, Sleepers};
use super::{AtomicUsize, Ordering};

pub(crate) struct Mutex<T> {
    lock: Lock,
    data: UnsafeCell<T>,
}

// SAFETY: as the standard library's: one thread at a time has the data.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: as above; loom runs all threads on one of the system.
unsafe impl<T: Send> Send for Mutex<T> {}

pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(data: T) -> Self {
        Mutex {
            lock: Lock::new(),
            data: UnsafeCell::new(data),
        }
    }

    /// An interrupt can land here: what ships is at a lock whenever it is not about sequences.
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        step();
        if !self.lock.try_lock() {
            blocked(|| self.lock.lock());
        }
        Ok(MutexGuard(self))
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

#[derive(Debug)]
pub(crate) struct Condvar {
    sleepers: Sleepers,
    /// So that loom tries both orders of a wait and a waking.
    order: AtomicUsize,
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar {
            sleepers: Sleepers::new(),
            order: AtomicUsize::new(0),
        }
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_at_most(guard, None)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Duration,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.wait_at_most(guard, Some(most))
    }

    fn wait_at_most<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        most: Option<Duration>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let mutex = guard.0;
        self.order.fetch_add(0, Ordering::Relaxed);
        let sleeper = self.sleepers.add(0, Sleeper::new(most));
        drop(guard);
        self.sleepers.sleep(sleeper, most);
        mutex.lock()
    }

    pub(crate) fn notify_all(&self) {
        self.order.fetch_add(0, Ordering::Relaxed);
        self.sleepers.wake(0, usize::MAX);
    }
}

/// With an operation that is seen to conflict with every writer's, for loom.
pub(crate) struct RwLock<T> {
    gate: AtomicUsize,
    /// How many read; -1 for a writer. Loom switches threads at its own operations alone.
    held: Cell<isize>,
    written: Cell<bool>,
    waiting: RefCell<Vec<loom::thread::Thread>>,
    data: UnsafeCell<T>,
}

// SAFETY: as for `Mutex`; several threads may read at a time.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for RwLock<T> {}

pub(crate) struct ReadGuard<'a, T>(&'a RwLock<T>);
pub(crate) struct WriteGuard<'a, T>(&'a RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(data: T) -> Self {
        RwLock {
            gate: AtomicUsize::new(0),
            held: Cell::new(0),
            written: Cell::new(false),
            waiting: RefCell::default(),
            data: UnsafeCell::new(data),
        }
    }

    fn wait(&self) {
        self.waiting.borrow_mut().push(loom::thread::current());
        blocked(loom::thread::park);
    }

    fn wake(&self) {
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(|thread| thread.unpark());
    }

    pub(crate) fn read(&self) -> LockResult<ReadGuard<'_, T>> {
        loop {
            self.gate.load(Ordering::Relaxed);
            if self.written.get() {
                self.gate.fetch_add(0, Ordering::Acquire);
            }
            if self.held.get() >= 0 {
                self.held.set(self.held.get() + 1);
                return Ok(ReadGuard(self));
            }
            self.wait();
        }
    }

    pub(crate) fn write(&self) -> LockResult<WriteGuard<'_, T>> {
        loop {
            self.gate.fetch_add(1, Ordering::Acquire);
            if self.held.get() == 0 {
                self.held.set(-1);
                return Ok(WriteGuard(self));
            }
            self.wait();
        }
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for reading.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get() - 1);
        if !is_unwinding() && self.0.held.get() == 0 {
            self.0.wake();
        }
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for writing.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held for writing.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        if !is_unwinding() {
            self.0.gate.fetch_add(1, Ordering::Release);
            self.0.held.set(0);
            self.0.written.set(true);
            self.0.wake();
        }
    }
}

pub(crate) struct OnceLock<T> {
    set: AtomicUsize,
    lock: Lock,
    data: UnsafeCell<Option<T>>,
}

// SAFETY: as the standard library's: it is written once, with the lock held, before it is shared.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for OnceLock<T> {}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        OnceLock {
            set: AtomicUsize::new(0),
            lock: Lock::new(),
            data: UnsafeCell::new(None),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.set.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: it is set, and not written again.
        unsafe { (*self.data.get()).as_ref() }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(data) = self.get() {
            return data;
        }
        if !self.lock.try_lock() {
            blocked(|| self.lock.lock());
        }
        // SAFETY: with the lock held; references are given out only of what is set.
        let data = unsafe { &mut *self.data.get() };
        if data.is_none() {
            *data = Some(make());
            self.set.store(1, Ordering::Release);
        }
        self.lock.unlock();
        // SAFETY: it is set, and not written again.
        unsafe { (*self.data.get()).as_ref() }.expect("set")
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnceLock")
    }
}
