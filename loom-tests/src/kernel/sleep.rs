//! Sleeping: futexes, sleepers and the ways to wake them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use loom::thread;

use super::cpu::{blocked, panic_on_purpose, step};
use super::lock::Lock;
use super::{AtomicU32, Fault, Ordering, faulty, fence, kernel};

/// A thread that sleeps, or is about to.
#[derive(Clone)]
pub(super) struct Sleeper {
    thread: thread::Thread,
    /// True if the thread yields instead of parking, because its time may be over.
    has_limit: bool,
    woken: Rc<Cell<bool>>,
}

impl Sleeper {
    pub(super) fn new(most: Option<Duration>) -> Self {
        Sleeper {
            thread: thread::current(),
            has_limit: most.is_some() && !kernel().no_time_limits.get(),
            woken: Rc::default(),
        }
    }
}

/// The sleepers with their words, in the order in which they came.
pub(super) struct Sleepers(RefCell<Vec<(usize, Sleeper)>>);

impl fmt::Debug for Sleepers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleepers")
    }
}

impl Sleepers {
    pub(super) fn new() -> Self {
        Sleepers(RefCell::default())
    }

    pub(super) fn add(&self, key: usize, sleeper: Sleeper) -> Sleeper {
        self.0.borrow_mut().push((key, sleeper.clone()));
        sleeper
    }

    /// Returns once the sleeper was woken. Every sleeper parks once and is unparked once, in either order. A sleeper
    /// with a time limit is never unparked.
    pub(super) fn sleep(&self, sleeper: Sleeper, most: Option<Duration>) {
        match most {
            Some(most) if sleeper.has_limit => self.sleep_to_the_end(sleeper, most),
            _ => {
                kernel().asleep.set(kernel().asleep.get() + 1);
                blocked(thread::park);
                kernel().asleep.set(kernel().asleep.get() - 1);
            }
        }
    }

    /// Returns once the sleeper was woken, or when no other thread can go on: then its time is over.
    pub(super) fn sleep_to_the_end(&self, sleeper: Sleeper, most: Duration) {
        let begin = kernel().clock.get();
        blocked(thread::yield_now);
        if !sleeper.woken.get() {
            let same = |(_, other): &(usize, Sleeper)| Rc::ptr_eq(&other.woken, &sleeper.woken);
            self.0.borrow_mut().retain(|other| !same(other));
            let clock = &kernel().clock;
            clock.set(clock.get().max(begin + most));
        }
    }

    /// Wakes up to `how_many` threads that sleep on this word.
    pub(super) fn wake(&self, key: usize, how_many: usize) {
        for _ in 0..how_many {
            let mut sleepers = self.0.borrow_mut();
            let Some(first) = sleepers.iter().position(|(word, _)| *word == key) else {
                break;
            };
            let (_, sleeper) = sleepers.remove(first);
            drop(sleepers);
            sleeper.woken.set(true);
            if !sleeper.has_limit {
                sleeper.thread.unpark();
            }
        }
    }
}

pub(super) struct Futexes {
    /// The lock of the only bucket.
    bucket: Lock,
    sleepers: Sleepers,
}

impl Futexes {
    pub(super) fn new() -> Self {
        Futexes {
            bucket: Lock::new(),
            sleepers: Sleepers::new(),
        }
    }
}

/// Sleeps while `word` holds `value`. A time limit of zero is over at once: loom lets everything else happen before or
/// after.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32, most: Option<Duration>) {
    end_with_the_process();
    let kernel = kernel();
    let futexes = &kernel.futexes;
    let sleeper = futexes.bucket.with(|| {
        let sleep = word.load(Ordering::Relaxed) == value && most != Some(Duration::ZERO);
        let address = core::ptr::from_ref(word).addr();
        sleep.then(|| futexes.sleepers.add(address, Sleeper::new(most)))
    });
    if let Some(sleeper) = sleeper {
        futexes.sleepers.sleep(sleeper, most);
    }
    end_with_the_process();
}

fn end_with_the_process() {
    if kernel().exited.get() {
        panic_on_purpose();
    }
}

/// Wakes up to `how_many` threads that sleep on the word, in the order in which they came.
pub(crate) fn futex_wake(word: &AtomicU32, how_many: i32) {
    if faulty(Fault::NoWake) {
        return;
    }
    step();
    let kernel = kernel();
    let address = core::ptr::from_ref(word).addr();
    let wake = || kernel.futexes.sleepers.wake(address, how_many as usize);
    kernel.futexes.bucket.with(wake);
}

/// Returns whether anybody sleeps. Takes no step.
pub(crate) fn somebody_sleeps() -> bool {
    kernel().asleep.get() > 0
}
