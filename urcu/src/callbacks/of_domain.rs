//! The callbacks of one domain, in one process.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::invoke::run;
use super::limits::Limits;
use super::queue::{Queue, Which};
use super::{seal, slots};
use crate::gp::readers::Readers;
use crate::gp::sequence::{Round, Sequence};
use crate::settings::SharedBudget;
use crate::stats::Stats;
use crate::sync::once::Once;
use crate::sync::{Instant, Mutex, fork};
use crate::sys::Phase;

/// The callbacks that wait for grace periods in a domain.
#[derive(Debug)]
pub(crate) struct Callbacks {
    /// The process in which this was made.
    fork_generation: u64,
    /// Made with the first callback.
    queue: Once<Queue>,
    pub(super) pace: Mutex<Pace>,
    pub(crate) limits: Limits,
}

/// The worker's record of a domain's load.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) due: Option<Instant>,
    /// The last grace period that was over when the domain was last due.
    pub(super) ready: Round,
    pub(super) sealed: u64,
    pub(super) heavy: bool,
}

impl Callbacks {
    /// Returns no callbacks yet, in the process of that generation.
    pub(crate) fn new(budget: &SharedBudget, fork_generation: u64) -> Self {
        Callbacks {
            fork_generation,
            queue: Once::new(),
            pace: Mutex::default(),
            limits: Limits::new(budget),
        }
    }

    /// Returns whether these were made in this process, and not in one that it was forked from.
    pub(crate) fn is_current_process(&self) -> bool {
        self.fork_generation == fork::generation()
    }

    /// Returns the queue, and makes it first if need be.
    pub(super) fn queue(&self) -> &Queue {
        self.queue.get_or_make(|_| true, Queue::new)
    }

    /// Returns the queue, if there ever was a callback.
    pub(crate) fn existing_queue(&self) -> Option<&Queue> {
        self.queue.get()
    }

    /// Returns whether a callback can be queued without exceeding the budget.
    pub(crate) fn has_room(&self) -> bool {
        let pending = self.queue.get().map_or((0, 0), Queue::pending);
        !self.limits.budget().is_exceeded(pending)
    }

    /// Returns whether a quarter of the budget is used.
    pub(super) fn is_a_quarter_used(&self) -> bool {
        self.limits
            .budget()
            .is_a_quarter_used(self.queue().pending())
    }

    /// Returns whether there are callbacks that have not run, as far as the worker has to know.
    pub(crate) fn has_any(&self) -> bool {
        self.queue
            .get()
            .is_some_and(|queue| queue.installed.load(SeqCst) || queue.has_waiting())
    }

    /// Returns whether there are callbacks that have to wait for another grace period than `done`.
    pub(crate) fn has_unready(&self, done: Round) -> bool {
        self.queue
            .get()
            .is_some_and(|queue| queue.installed.load(SeqCst) || queue.has_unready(done))
    }

    /// Returns whether there are callbacks that the worker may run after grace period `done`.
    pub(crate) fn has_ready(&self, done: Round) -> bool {
        let ready = self.ready(done);
        let is_ready = |queue: &Queue| {
            (0..queue.stripes())
                .any(|stripe| queue.front(stripe).is_some_and(|front| front <= ready))
        };
        self.queue.get().is_some_and(is_ready)
    }

    /// Returns the last grace period whose callbacks the worker may run. Under load it stays behind, so that
    /// threads that retire can drop their own values.
    fn ready(&self, done: Round) -> Round {
        let pace = self.pace.lock();
        if pace.heavy { pace.ready } else { done }
    }

    /// Seals the chunks in the slots of the phase `old`, for the leader of its grace period, which is about
    /// to end.
    pub(crate) fn seal_slots(&self, sequence: &Sequence, old: Phase) {
        seal::collect(sequence, old, |slot, end, number| {
            // SAFETY: taken out of its slot, once.
            let (chunk, length) = unsafe { end.take_chunk() };
            let queue = self.queue();
            if length == 0 {
                queue.recycle(slot, chunk);
            } else {
                let ticket = queue.ticket(slot);
                queue.seal(chunk, length, number, &ticket);
            }
        });
    }

    /// Runs, for the worker, callbacks that are ready after grace period `done`, `limit` at
    /// most. Returns how many ran.
    pub(crate) fn run_ready(&self, done: Round, limit: usize) -> usize {
        self.run_up_to(self.ready(done), limit)
    }

    /// Runs callbacks that wait for grace period `number` or an earlier one, `limit` at most, in batches.
    /// Returns how many ran.
    pub(crate) fn run_up_to(&self, number: Round, limit: usize) -> usize {
        let Some(queue) = self.queue.get() else {
            return 0;
        };
        let mut count = 0;
        for stripe in 0..queue.stripes() {
            while count < limit
                && self.is_current_process()
                && let Some((batch, _)) = queue.take(stripe, number, Which::All)
            {
                count += batch.part().count();
                run(queue, batch);
            }
        }
        count
    }

    /// Gives back the memory of empty chunks, when nothing is left to do.
    pub(crate) fn trim(&self) {
        self.queue.get().inspect(|queue| queue.trim());
    }

    /// Adds the counts to `stats`.
    pub(crate) fn count(&self, readers: &Readers, stats: &mut Stats) {
        let Some(queue) = self.queue.get() else {
            return;
        };
        let (sealed, run) = queue.totals();
        let queued = sealed + queue.open() + slots::appended(readers);
        let pending = queued.saturating_sub(run);
        queue.raise_peak(pending);
        stats.callbacks_queued = queued;
        stats.callbacks_run = run;
        stats.callbacks_pending = pending;
        stats.callbacks_pending_bytes = queue.pending().1;
        stats.callbacks_peak = queue.peak();
        stats.callbacks_panicked = queue.panicked.load(Relaxed);
        stats.callbacks_held_up = queue.held_up.load(Relaxed);
        stats.callbacks_excess = queue.over_budget.load(Relaxed);
    }
}
