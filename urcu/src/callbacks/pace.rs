//! When a grace period is begun for callbacks, and which of them are run then.

use core::sync::atomic::Ordering::{Release, SeqCst};
use core::time::Duration;

use super::invoke::run;
use super::queue::{Queue, Which};
use crate::driver::Driver;
use crate::sync::Instant;

/// What makes a grace period worth its while before its time has come: callbacks, and bytes.
pub(super) const GP_THRESHOLD: (usize, u64) = (8192, 1 << 20);

/// How long callbacks wait for others, so that a grace period serves them all.
pub(super) const COALESCE_WINDOW: Duration = Duration::from_millis(1);

/// More callbacks in that time are a load under which threads that retire do most of the work.
const HEAVY: u64 = 2000;

impl Driver {
    /// Whether there are callbacks that have not run, as far as the worker has to know.
    pub(crate) fn has_callbacks(&self) -> bool {
        self.queue
            .get()
            .is_some_and(|queue| queue.installed.load(SeqCst) || queue.has_waiting())
    }

    /// Whether there are callbacks that have to wait for another grace period than `done`.
    pub(crate) fn has_unready(&self, done: u64) -> bool {
        self.queue
            .get()
            .is_some_and(|queue| queue.installed.load(SeqCst) || queue.has_unready(done))
    }

    /// Whether there are callbacks that the worker may run after grace period `done`.
    pub(crate) fn has_ready(&self, done: u64) -> bool {
        let ready = self.ready(done);
        let is_ready = |queue: &Queue| {
            (0..queue.stripes())
                .any(|stripe| queue.front(stripe).is_some_and(|front| front <= ready))
        };
        self.queue.get().is_some_and(is_ready)
    }

    /// The worker's part. Asks for a grace period if it is time; the answer is when it will be.
    pub(crate) fn pace(&self) -> Option<Instant> {
        let queue = self.queue.get()?;
        let mut pace = self.pace.lock();
        if !self.has_unready(self.progress.sequence.done()) {
            (pace.due, pace.heavy) = (None, false);
            return None;
        }
        let now = Instant::now();
        let due = *pace.due.get_or_insert_with(|| now + COALESCE_WINDOW);
        if now < due {
            return Some(due);
        }
        if self.wants_more() {
            // It waits for a reader. Until the next one can begin, chunks may as well fill up.
            pace.due = Some(now + COALESCE_WINDOW);
            return pace.due;
        }
        let sealed = queue.totals().0;
        pace.heavy = sealed - pace.sealed >= HEAVY;
        pace.sealed = sealed;
        pace.ready = self.progress.sequence.done();
        pace.due = Some(now + COALESCE_WINDOW);
        self.ask(queue);
        pace.due
    }

    /// Wants the grace period that collects what is in the slots now.
    pub(super) fn ask(&self, queue: &Queue) {
        let snap = || self.progress.sequence.snap();
        queue.seal_open(snap);
        // Before that grace period begins: what is installed later may be too late for it.
        queue.installed.store(false, SeqCst);
        // Release: see `Sequence::is_current_process`.
        self.wanted.fetch_max(snap(), Release);
    }

    /// The worker's part: runs callbacks that are ready after grace period `done`, `most` at most.
    /// How many.
    pub(crate) fn run_ready(&self, done: u64, most: usize) -> usize {
        self.run_up_to(self.ready(done), most)
    }

    /// Of callbacks that wait for which grace period the worker may run some: under load, threads that
    /// retire get a chance to drop what is theirs.
    fn ready(&self, done: u64) -> u64 {
        let pace = self.pace.lock();
        if pace.heavy { pace.ready } else { done }
    }

    /// Runs callbacks that wait for grace period `round` or an earlier one, `most` at most. How many.
    pub(super) fn run_up_to(&self, round: u64, most: usize) -> usize {
        let Some(queue) = self.queue.get() else {
            return 0;
        };
        let mut count = 0;
        for stripe in 0..queue.stripes() {
            while count < most
                && self.is_current_process()
                && let Some((batch, _)) = queue.take(stripe, round, Which::All)
            {
                count += batch.part().count();
                run(queue, batch);
            }
        }
        count
    }
}

/// What the worker remembers of a domain's load.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    due: Option<Instant>,
    /// What was done when it was last due.
    ready: u64,
    sealed: u64,
    heavy: bool,
}
