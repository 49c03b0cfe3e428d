//! Callbacks: a queue per domain, in batches that each wait for one grace period.
//!
//! What is queued while a batch waits or runs is the next batch, so batches grow with the load.
//! One thread at a time runs a domain's callbacks: the worker, or whoever drops the domain, or
//! callers of `barrier` if there is no worker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::domain::State;
use crate::fork;
use crate::stall::Watch;
use crate::tasks::Tasks;
use crate::worker;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// How many callbacks of one domain run before others get their turn.
const SOME: usize = 1024;

/// A domain's callbacks.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Notified, with the lock held, when callbacks have run.
    progress: Condvar,
}

struct Inner {
    /// Queued after the batch.
    pending: VecDeque<Callback>,
    batch: VecDeque<Callback>,
    /// The grace period that the batch waits for.
    round: u64,
    /// Who runs the batch now.
    runner: Option<ThreadId>,
    /// How many were ever queued, how many of those have run, and the most that had not.
    queued: u64,
    run: u64,
    peak: u64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("queued", &self.queued)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Whether nobody runs the batch but this thread, perhaps.
    fn is_mine(&self) -> bool {
        self.runner
            .is_none_or(|runner| runner == thread::current().id())
    }
}

/// What [`Queue::run_some`] did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Some,
    Nothing,
    /// Another thread is at it, and pokes the worker when it has done some.
    Elsewhere,
}

thread_local! {
    /// The process of the callback that this thread is inside of; 0 if it is not. A child that a
    /// callback forks is not inside of it.
    static RUNNING: Cell<u64> = const { Cell::new(0) };
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue {
            inner: Mutex::new(Inner {
                pending: VecDeque::new(),
                batch: VecDeque::new(),
                round: 0,
                runner: None,
                queued: 0,
                run: 0,
                peak: 0,
            }),
            progress: Condvar::new(),
        }
    }

    /// No code of a user's runs with the lock held, so a panic cannot leave halves behind.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, callback: Callback) {
        let mut inner = self.lock();
        inner.pending.push_back(callback);
        inner.queued += 1;
        inner.peak = inner.peak.max(inner.queued - inner.run);
    }

    pub(crate) fn is_empty(&self) -> bool {
        let inner = self.lock();
        inner.pending.is_empty() && inner.batch.is_empty()
    }

    /// Queued, run, and the most that were pending.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let inner = self.lock();
        (inner.queued, inner.run, inner.peak)
    }

    /// Makes what is queued the batch, if there is none, which is to wait for the grace period
    /// that `join` names; the grace period of the batch, if there is one.
    pub(crate) fn seal(&self, join: impl FnOnce() -> u64) -> Option<u64> {
        let mut inner = self.lock();
        // A batch whose last callback runs is over for the thread that runs it: there it may be
        // that callback that drops the domain.
        let over = inner.batch.is_empty() && inner.is_mine();
        if over && !inner.pending.is_empty() {
            inner.batch = std::mem::take(&mut inner.pending);
            inner.round = join();
        }
        (!inner.batch.is_empty()).then_some(inner.round)
    }

    /// Runs some callbacks of the batch, if it is ripe after grace period `done` and nobody else is
    /// at it.
    pub(crate) fn run_some(&self, done: u64) -> Ran {
        let process = fork::incarnation();
        let mut inner = self.lock();
        if inner.batch.is_empty() || inner.round > done {
            return Ran::Nothing;
        }
        if !inner.is_mine() {
            return Ran::Elsewhere;
        }
        let outer = inner.runner.replace(thread::current().id());
        for _ in 0..SOME {
            let Some(callback) = inner.batch.pop_front() else {
                break;
            };
            drop(inner);
            run(callback);
            if fork::incarnation() != process {
                return Ran::Some; // It forked: the lock may be held in this child by nobody.
            }
            inner = self.lock();
            inner.run += 1;
        }
        inner.runner = outer;
        self.progress.notify_all();
        Ran::Some
    }
}

fn run(callback: Callback) {
    let outer = RUNNING.replace(fork::incarnation());
    // The panic hook has reported a panic. Its payload may panic when dropped: leave it.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
        std::mem::forget(payload);
    }
    RUNNING.set(outer);
}

/// Queues a callback.
pub(crate) fn call(tasks: &Arc<Tasks>, callback: Callback) {
    tasks.queue.push(callback);
    tasks.schedule();
}

/// Waits until the callbacks queued before have run.
pub(crate) fn barrier(state: &State, tasks: &Tasks) {
    assert!(
        // Thread-local data that is gone is that of a thread that runs no callbacks.
        RUNNING.try_with(Cell::get).unwrap_or(0) != fork::incarnation(),
        "barrier() called by an RCU callback: it would wait for that callback itself"
    );
    let target = tasks.queue.lock().queued;
    wait(state, tasks, |inner| inner.run >= target);
}

/// Runs what is queued, for a domain that is being dropped, perhaps by one of its callbacks.
pub(crate) fn finish(state: &State, tasks: &Tasks) {
    while tasks.is_ours() && !tasks.queue.is_empty() {
        drive(state, tasks);
    }
    if !tasks.is_ours() {
        return; // A callback forked: this is the child.
    }
    let mut inner = tasks.queue.lock();
    while !inner.is_mine() {
        inner = tasks
            .queue
            .progress
            .wait(inner)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn wait(state: &State, tasks: &Tasks, done: impl Fn(&Inner) -> bool) {
    let watch = Watch::blocking(state, tasks);
    while tasks.is_ours() {
        if done(&tasks.queue.lock()) {
            return;
        }
        if !worker::is_there() {
            drive(state, tasks);
            continue;
        }
        let patience = watch.patience_of_a_follower();
        let inner = tasks.queue.lock();
        if done(&inner) {
            return;
        }
        let progress = &tasks.queue.progress;
        match patience {
            None => drop(progress.wait(inner)),
            Some(patience) => drop(progress.wait_timeout(inner, patience)),
        }
        watch.follow();
    }
}

/// Does the worker's work for one batch, waiting for its grace period.
fn drive(state: &State, tasks: &Tasks) {
    /// How long to wait for another thread that runs the batch, before looking again.
    const ELSEWHERE: Duration = Duration::from_millis(1);
    let mut pause = Duration::from_millis(1);
    let rounds = &state.grace_periods.rounds;
    if let Some(round) = tasks.queue.seal(|| rounds.join()) {
        let watch = Watch::passing(state, tasks);
        // As in the worker: refused barriers may be granted later.
        while catch_unwind(AssertUnwindSafe(|| state.grace_periods.wait(round, &watch))).is_err() {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(60));
        }
    }
    tasks.wake(rounds.done());
    let ran = tasks.queue.run_some(rounds.done());
    if !tasks.is_ours() {
        return;
    }
    // The worker may have found us at it.
    worker::poke();
    if ran != Ran::Some {
        let inner = tasks.queue.lock();
        if !inner.batch.is_empty() || inner.runner.is_some() {
            drop(tasks.queue.progress.wait_timeout(inner, ELSEWHERE));
        }
    }
}
