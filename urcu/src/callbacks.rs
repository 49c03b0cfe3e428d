//! Callbacks: a queue per domain, and one background thread that takes them through grace periods.
//!
//! The thread takes all that a domain has queued as one batch, waits for one grace period, and runs
//! the batch outside of every lock. What is queued meanwhile is the next batch, so batches grow
//! with the load.
//!
//! A domain is *scheduled* while it has callbacks queued or in flight: it is in the thread's list,
//! or the thread is working on it. A domain that is not scheduled is unknown to the thread.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::domain::State;
use crate::machine::without_signals;

type Callback = Box<dyn FnOnce() + Send>;

/// A domain's callbacks.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Notified, with the lock held, after every batch.
    progress: Condvar,
}

struct Inner {
    /// Queued after the grace period of `ripe` began.
    pending: VecDeque<Callback>,
    /// A grace period has passed.
    ripe: VecDeque<Callback>,
    /// How many were ever queued, and how many of those have run. In order.
    queued: u64,
    run: u64,
    scheduled: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("queued", &self.queued)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Queue {
            inner: Mutex::new(Inner {
                pending: VecDeque::new(),
                ripe: VecDeque::new(),
                queued: 0,
                run: 0,
                scheduled: false,
            }),
            progress: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

/// No code of a user runs with one of our locks held, so a panic cannot leave halves behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A scheduled domain's state.
struct Scheduled(*const State);

// SAFETY: `State` is `Sync`, and is freed only when its domain is not scheduled.
unsafe impl Send for Scheduled {}

struct Worker {
    started: bool,
    scheduled: VecDeque<Scheduled>,
}

static WORKER: Mutex<Worker> = Mutex::new(Worker {
    started: false,
    scheduled: VecDeque::new(),
});
static WORK: Condvar = Condvar::new();

thread_local! {
    /// The domain whose callbacks this thread runs, if it does.
    static RUNNING: Cell<*const State> = const { Cell::new(ptr::null()) };
}

/// Null too where thread-local data is gone: such a thread runs no callbacks.
fn running() -> *const State {
    RUNNING.try_with(Cell::get).unwrap_or(ptr::null())
}

/// Queues a callback.
pub(crate) fn call(state: &State, callback: Callback) {
    let mut inner = state.queue.lock();
    inner.pending.push_back(callback);
    inner.queued += 1;
    let schedule = !inner.scheduled;
    inner.scheduled = true;
    drop(inner);
    if schedule {
        let mut worker = lock(&WORKER);
        worker.scheduled.push_back(Scheduled(state));
        start(&mut worker);
        WORK.notify_one();
    }
}

/// Starts the thread if it is not there. It can fail: then the callers of `barrier` do the work.
fn start(worker: &mut Worker) {
    if !worker.started {
        let thread = thread::Builder::new().name("urcu-callbacks".into());
        // The new thread inherits the mask: the program's signals are not for it.
        worker.started = without_signals(|| thread.spawn(work).is_ok());
    }
}

fn work() {
    loop {
        let mut worker = lock(&WORKER);
        let Scheduled(state) = loop {
            match worker.scheduled.pop_front() {
                Some(scheduled) => break scheduled,
                None => {
                    worker = WORK
                        .wait(worker)
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                }
            }
        };
        drop(worker);
        // SAFETY: scheduled, so not freed.
        unsafe { run_all(state) };
    }
}

/// Runs the callbacks of a scheduled domain until there are none; it is not scheduled then.
///
/// # Safety
/// The domain is scheduled, and this thread took it from the list. The state may be freed as soon
/// as this has returned.
unsafe fn run_all(state: *const State) {
    let outer = RUNNING.replace(state);
    loop {
        // SAFETY: the domain is scheduled still.
        let state = unsafe { &*state };
        let mut inner = state.queue.lock();
        if inner.pending.is_empty() {
            inner.scheduled = false;
            // With the lock held: when it is free, whoever waits may free the state.
            state.queue.progress.notify_all();
            break;
        }
        inner.ripe = std::mem::take(&mut inner.pending);
        drop(inner);
        synchronize(state);
        if !run_ripe(state) {
            break; // A callback dropped the domain.
        }
        state.queue.lock().run_done(&state.queue.progress);
    }
    RUNNING.set(outer);
}

/// Waits for a grace period, also where the kernel refuses the barrier for a while (the thread may
/// have inherited a filter, or memory is short): callbacks wait then, and none is lost.
fn synchronize(state: &State) {
    let mut pause = Duration::from_millis(1);
    while catch_unwind(AssertUnwindSafe(|| state.synchronize())).is_err() {
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(60));
    }
}

impl Inner {
    fn run_done(&self, progress: &Condvar) {
        debug_assert!(self.ripe.is_empty() && self.run <= self.queued);
        progress.notify_all();
    }
}

/// Runs the batch. False if one of the callbacks dropped the domain: the state is gone then.
fn run_ripe(state: *const State) -> bool {
    loop {
        // SAFETY: `RUNNING` was `state` when this thread last looked: `finish` on this thread would
        // have changed it, and on another it waits while the domain is scheduled.
        let callback = unsafe { &*state }.queue.lock().ripe.pop_front();
        let Some(callback) = callback else {
            return true;
        };
        // The panic hook has reported a panic. Its payload may panic when dropped: leave it.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
            std::mem::forget(payload);
        }
        if running() != state {
            return false;
        }
        // SAFETY: as above.
        unsafe { &*state }.queue.lock().run += 1;
    }
}

/// Waits until the callbacks queued before have run.
pub(crate) fn barrier(state: &State) {
    assert!(
        running().is_null(),
        "barrier() called by an RCU callback: it would wait for that callback itself"
    );
    let target = state.queue.lock().queued;
    wait(state, |inner| inner.run >= target);
}

fn wait(state: &State, done: impl Fn(&Inner) -> bool) {
    /// How long to wait for another caller that does the thread's work, before looking again.
    const NO_WORKER: Duration = Duration::from_millis(1);
    loop {
        let worker = match take_if_no_worker(state) {
            Work::Taken => {
                // SAFETY: scheduled, and taken from the list.
                unsafe { run_all(state) };
                continue;
            }
            Work::Elsewhere { worker } => worker,
        };
        let inner = state.queue.lock();
        if done(&inner) {
            return;
        }
        let progress = &state.queue.progress;
        if worker {
            drop(progress.wait(inner));
        } else {
            drop(progress.wait_timeout(inner, NO_WORKER));
        }
    }
}

/// Who runs a domain's callbacks.
enum Work {
    /// The caller, which has taken the domain from the list.
    Taken,
    /// The thread, or another caller if there is none; or there are no callbacks.
    Elsewhere { worker: bool },
}

/// If there is no thread, and none can be started, takes the domain from its list.
fn take_if_no_worker(state: &State) -> Work {
    let mut worker = lock(&WORKER);
    if !worker.scheduled.is_empty() {
        start(&mut worker);
        if !worker.started && worker.take(state) {
            return Work::Taken;
        }
    }
    Work::Elsewhere {
        worker: worker.started,
    }
}

impl Worker {
    fn take(&mut self, state: &State) -> bool {
        let before = self.scheduled.len();
        self.scheduled
            .retain(|scheduled| !ptr::eq(scheduled.0, state));
        self.scheduled.len() != before
    }
}

/// Runs what is queued, for a domain that is being dropped. The thread does not know the domain
/// any more then.
pub(crate) fn finish(state: &State) {
    if running().is_null() {
        return wait(state, |inner| !inner.scheduled);
    }
    // A callback drops the domain, so the thread that runs callbacks cannot be waited for if the
    // domain is its to run: it is this one.
    let taken = lock(&WORKER).take(state);
    if ptr::eq(running(), state) {
        // Not null: this is still inside of a callback, see `barrier`.
        RUNNING.set(ptr::dangling());
    } else if !taken {
        // Without callbacks, or another thread runs them, which does not wait for this one.
        return wait(state, |inner| !inner.scheduled);
    }
    run_nested(state);
}

/// The rest of the batch in flight, if any, then the batches after it.
fn run_nested(state: &State) {
    loop {
        let callback = state.queue.lock().ripe.pop_front();
        if let Some(callback) = callback {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
                std::mem::forget(payload);
            }
            continue;
        }
        let pending = std::mem::take(&mut state.queue.lock().pending);
        if pending.is_empty() {
            return;
        }
        synchronize(state);
        state.queue.lock().ripe = pending;
    }
}
