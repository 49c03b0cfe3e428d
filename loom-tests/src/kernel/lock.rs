//! Blocking, made of loom's atomics and parking. Loom's own locks cannot be used: a lock that is released while any
//! thread of the model unwinds is poisoned, and cannot be taken again.

use std::cell::RefCell;
use std::collections::VecDeque;

use loom::thread::{self, Thread};

use super::{AtomicUsize, Ordering};

/// A lock that threads get roughly in the order in which they ask for it.
pub(super) struct Lock {
    held: AtomicUsize,
    /// The waiting threads. Loom switches threads only at its own operations, so this needs no lock.
    waiting: RefCell<VecDeque<Thread>>,
}

impl Lock {
    pub(super) fn new() -> Self {
        Lock {
            held: AtomicUsize::new(0),
            waiting: RefCell::default(),
        }
    }

    pub(super) fn try_lock(&self) -> bool {
        let free = self
            .held
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        free.is_ok()
    }

    pub(super) fn lock(&self) {
        let this = thread::current();
        while !self.try_lock() {
            // Loom does no operation until this thread is parked, so each unparking meets a parked thread.
            self.waiting.borrow_mut().push_back(this.clone());
            thread::park();
        }
    }

    pub(super) fn unlock(&self) {
        self.held.store(0, Ordering::Release);
        let next = self.waiting.borrow_mut().pop_front();
        if let Some(thread) = next {
            thread.unpark();
        }
    }

    pub(super) fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        self.lock();
        let result = f();
        self.unlock();
        result
    }
}

/// A count that one thread waits for and others raise.
pub(super) struct Tally {
    count: AtomicUsize,
    waiting: RefCell<Option<Thread>>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Tally {
            count: AtomicUsize::new(0),
            waiting: RefCell::default(),
        }
    }

    pub(super) fn add(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        let waiting = self.waiting.borrow_mut().take();
        if let Some(thread) = waiting {
            thread.unpark();
        }
    }

    /// Waits until the count is reached, and resets it to 0.
    pub(super) fn await_count(&self, count: usize) {
        let this = thread::current();
        // A read-modify-write sees the last value.
        while self.count.fetch_add(0, Ordering::AcqRel) < count {
            self.waiting.replace(Some(this.clone()));
            thread::park();
        }
        self.count.store(0, Ordering::Relaxed);
    }
}
