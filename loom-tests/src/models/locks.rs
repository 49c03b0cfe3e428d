//! Mechanisms of a single word: the lock for data on the heap, for which other models have a stand-in, and the
//! reference that is taken away.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::witness;
use crate::kernel::{self, Mode, fork, without_time_limits};
use crate::sync::mutex::Mutex;
use crate::sync::rundown::Rundown;

fn boot() {
    kernel::boot(Mode::Atomics);
    without_time_limits();
}

/// A number whose races loom reports.
#[derive(Default)]
struct Number(UnsafeCell<u32>);

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for Number {}
// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Send for Number {}

impl Number {
    fn add(&self) {
        // SAFETY: loom checks that nobody else uses it meanwhile.
        self.0.with_mut(|number| unsafe { *number += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.0.with(|number| unsafe { *number })
    }
}

/// Lets so many threads take the lock, and this one twice.
fn threads_lock(count: u32) {
    boot();
    let lock = Arc::new(Mutex::<Number>::default());
    let others: Vec<_> = (1..count)
        .map(|_| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.lock().add())
        })
        .collect();
    lock.lock().add();
    lock.lock().add();
    for other in others {
        other.join().expect("another");
    }
    assert_eq!(lock.lock().get(), count + 1);
}

/// One thread at a time has the data of a lock, sees what was done before, and is woken when the lock is free.
pub(super) fn two_threads_lock() {
    threads_lock(2);
}

/// The same holds for several threads that sleep.
pub(super) fn three_threads_lock() {
    threads_lock(3);
}

/// Data that was half changed by a thread that is gone.
#[derive(Default)]
struct Half(u32);

impl Drop for Half {
    fn drop(&mut self) {
        assert_eq!(self.0, 0, "what was half changed is dropped");
    }
}

/// A child does not wait for a thread that it does not have, and goes on with an empty state.
pub(super) fn a_child_finds_a_lock_held() {
    boot();
    let lock = Mutex::<Half>::default();
    let mut held = lock.lock();
    held.0 = 1;
    // A thread of the parent holds the lock, and another one waits for it.
    std::mem::forget(held);
    fork();
    let mut held = lock.lock();
    assert_eq!(held.0, 0, "the parent's");
    held.0 = 2;
    drop(held);
    let mut held = lock.lock();
    assert_eq!(held.0, 2, "the child's");
    held.0 = 0;
}

/// Nobody uses the target after it has gone; a thread that finds it gone sees what was done before.
pub(super) fn what_goes_is_not_used() {
    boot();
    let [target, before] = [Number::default(), Number::default()].map(Arc::new);
    // SAFETY: it does not go before it is closed, nor then.
    let rundown = Arc::new(unsafe { Rundown::new(&*target) });
    let others = [0, 1].map(|_| {
        let (rundown, before) = (Arc::clone(&rundown), Arc::clone(&before));
        thread::spawn(move || {
            let used = rundown.with(Number::get);
            witness(0, used.is_some());
            witness(1, used.is_none());
            if used.is_none() {
                assert_eq!(before.get(), 1);
            }
        })
    });
    before.add();
    rundown.close(|| false);
    target.add();
    for other in others {
        other.join().expect("a user");
    }
}
