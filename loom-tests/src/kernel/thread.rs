//! The library's own threads, and the clock.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::sleep::{Sleeper, Sleepers};
use super::{AtomicUsize, Ordering, kernel, survive};

/// What `unpark` sets.
struct Token {
    order: AtomicUsize,
    set: Cell<bool>,
    sleepers: Sleepers,
}

#[derive(Clone)]
pub(crate) struct Thread(Rc<Token>);

// SAFETY: loom runs all threads on one of the system.
unsafe impl Send for Thread {}
// SAFETY: loom runs all threads on one of the system.
unsafe impl Sync for Thread {}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thread")
    }
}

loom::thread_local! {
    static THIS: RefCell<Option<Thread>> = RefCell::new(None);
}

impl Thread {
    fn new() -> Self {
        Thread(Rc::new(Token {
            order: AtomicUsize::new(0),
            set: Cell::new(false),
            sleepers: Sleepers::new(),
        }))
    }

    pub(crate) fn unpark(&self) {
        self.0.order.fetch_add(1, Ordering::Release);
        self.0.set.set(true);
        self.0.sleepers.wake(0, 1);
    }
}

fn park_at_most(most: Option<Duration>) {
    let this = THIS.with(|this| this.borrow_mut().get_or_insert_with(Thread::new).clone());
    this.0.order.fetch_add(0, Ordering::Acquire);
    if !this.0.set.get() {
        let sleeper = this.0.sleepers.add(0, Sleeper::new(most));
        this.0.sleepers.sleep(sleeper, most);
        this.0.order.fetch_add(0, Ordering::Acquire);
    }
    this.0.set.set(false);
}

pub(crate) fn park() {
    park_at_most(None);
}

pub(crate) fn park_timeout(most: Duration) {
    park_at_most(Some(most));
}

/// Sleeps until no other thread can go on.
pub(crate) fn sleep(time: Duration) {
    let nobody = Sleepers::new();
    let sleeper = nobody.add(0, Sleeper::new(Some(time)));
    nobody.sleep_to_the_end(sleeper, time);
}

/// Starts a thread of the shipped code. Nobody joins it; a model ends only after the thread has ended.
pub(super) fn start(program: impl FnOnce() + 'static) -> Option<Thread> {
    if kernel().no_more_threads.get() {
        return None;
    }
    kernel().threads.set(kernel().threads.get() + 1);
    let thread = Thread::new();
    let theirs = thread.clone();
    loom::thread::spawn(move || {
        THIS.with(|this| this.replace(Some(theirs)));
        survive(program);
    });
    Some(thread)
}

/// Returns how many threads were started.
pub(crate) fn started() -> usize {
    kernel().threads.get()
}

/// A time of the emulated clock, which advances only when the time of a sleep is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Instant(kernel().clock.get())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().0 - self.0
    }

    pub(crate) fn checked_add(&self, time: Duration) -> Option<Self> {
        self.0.checked_add(time).map(Instant)
    }

    pub(crate) fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, time: Duration) -> Instant {
        Instant(self.0 + time)
    }
}
