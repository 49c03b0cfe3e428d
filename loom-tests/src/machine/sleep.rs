//! Sleeping: futexes, the worker, and what a caller that waits does besides.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use loom::thread::{self, Thread};

use super::cpu::step;
use super::lock::Lock;
use super::{AtomicU32, Fault, Ordering, faulty, fence, kernel};

pub(super) struct Sleep {
    /// The one futex bucket's lock, and who sleeps on which word, in the order in which they came.
    bucket: Lock,
    sleepers: RefCell<Vec<(usize, Thread)>>,
    /// As the worker's words in `urcu/src/fork.rs`.
    poked: AtomicU32,
    worker_sleeps: AtomicU32,
}

impl Sleep {
    pub(super) fn new() -> Self {
        Sleep {
            bucket: Lock::new(),
            sleepers: RefCell::default(),
            poked: AtomicU32::new(0),
            worker_sleeps: AtomicU32::new(0),
        }
    }
}

/// Sleeps while `word` holds `value`. A time limit is over at once: whatever happens meanwhile, loom
/// lets happen before or after.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32, most: Option<Duration>) {
    let kernel = kernel();
    let this = thread::current();
    let sleep = kernel.sleep.bucket.with(|| {
        let sleep = word.load(Ordering::Relaxed) == value && most.is_none();
        if sleep {
            let address = core::ptr::from_ref(word).addr();
            kernel.sleep.sleepers.borrow_mut().push((address, this));
        }
        sleep
    });
    if sleep {
        // Returns at once if we were unparked meanwhile.
        thread::park();
    }
}

/// Wakes so many of those who sleep on the word, in the order in which they came.
pub(crate) fn futex_wake(word: &AtomicU32, how_many: i32) {
    if faulty(Fault::NoWake) {
        return;
    }
    step();
    let kernel = kernel();
    kernel.sleep.bucket.with(|| {
        let address = core::ptr::from_ref(word).addr();
        for _ in 0..how_many {
            let mut sleepers = kernel.sleep.sleepers.borrow_mut();
            let Some(first) = sleepers.iter().position(|(word, _)| *word == address) else {
                break;
            };
            let (_, thread) = sleepers.remove(first);
            drop(sleepers);
            thread.unpark();
        }
    });
}

/// Whether anybody sleeps. Takes no step.
pub(crate) fn somebody_sleeps() -> bool {
    !kernel().sleep.sleepers.borrow().is_empty()
}

/// As `urcu/src/worker.rs`.
pub(crate) fn poke_worker() {
    let kernel = kernel();
    kernel.sleep.poked.fetch_add(1, Ordering::Release);
    fence(Ordering::SeqCst);
    if kernel.sleep.worker_sleeps.load(Ordering::Relaxed) != 0 {
        futex_wake(&kernel.sleep.poked, 1);
    }
}

/// How often the worker was poked. It looks at this before it looks at its work.
pub(crate) fn pokes() -> u32 {
    kernel().sleep.poked.load(Ordering::Acquire)
}

/// Sleeps until the worker is poked once more than so often, as `urcu/src/worker.rs`.
pub(crate) fn worker_sleep(pokes: u32) {
    let kernel = kernel();
    kernel.sleep.worker_sleeps.store(1, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    futex_wait(&kernel.sleep.poked, pokes, None);
    kernel.sleep.worker_sleeps.store(0, Ordering::Relaxed);
}

/// As `urcu/src/stall.rs`, without clocks: the time is over whenever a model says so.
pub(crate) struct Watch<'a> {
    /// How many sleeps have a time limit.
    limits: Cell<u32>,
    /// Whether a follower that has slept has waited too long, and panics.
    deadlocked: bool,
    slept: Cell<bool>,
    barriers: Cell<u32>,
    /// What is done before a grace period ends, with its period.
    ends: Option<&'a dyn Fn(usize)>,
}

impl<'a> Watch<'a> {
    /// For a caller that collects callbacks.
    pub(crate) fn collecting(ends: &'a dyn Fn(usize)) -> Self {
        Watch {
            ends: Some(ends),
            ..Watch::none()
        }
    }

    pub(crate) fn ends(&self, old: usize) {
        if let Some(ends) = self.ends {
            ends(old);
        }
    }

    pub(crate) fn none() -> Self {
        Watch {
            limits: Cell::new(0),
            deadlocked: false,
            slept: Cell::new(false),
            barriers: Cell::new(0),
            ends: None,
        }
    }

    /// For a caller whose first sleeps have a time limit.
    pub(crate) fn with_limits(limits: u32) -> Self {
        Watch {
            limits: Cell::new(limits),
            ..Watch::none()
        }
    }

    /// For a caller whose sleeps have a time limit, and which finds then that it waits for itself.
    pub(crate) fn gives_up() -> Self {
        Watch {
            deadlocked: true,
            ..Watch::with_limits(u32::MAX)
        }
    }

    /// For a caller that finds, when it has slept, that it waits for itself.
    pub(crate) fn deadlocked() -> Self {
        Watch {
            deadlocked: true,
            ..Watch::none()
        }
    }

    pub(crate) fn restarted(&self, issued: bool) {
        self.barriers.set(self.barriers.get() + u32::from(issued));
    }

    /// How many barriers were issued for this caller.
    pub(crate) fn barriers(&self) -> u32 {
        self.barriers.get()
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.slept.set(true);
        let limits = self.limits.get();
        self.limits.set(limits.saturating_sub(1));
        (limits > 0).then_some(Duration::ZERO)
    }

    pub(crate) fn patience_of_a_follower(&self) -> Option<Duration> {
        self.patience()
    }

    pub(crate) fn follow(&self) {
        if self.deadlocked && self.slept.take() {
            super::cpu::panic_on_purpose();
        }
    }

    pub(crate) fn look(&self, open: impl Fn(usize) -> i64) {
        self.follow();
        for slot in 0..super::slots() {
            open(slot);
        }
    }
}
