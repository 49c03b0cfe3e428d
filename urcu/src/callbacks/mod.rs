//! Callbacks: what is to be done after a grace period.
//!
//! A thread appends a callback to a chunk of the CPU it runs on, by a restartable sequence that
//! also finds the chunk through the domain's *phase* word: so the flip of a grace period, and the
//! restart after it, take all chunks that are part-full away from the CPUs at once. No lock and no
//! atomic instruction is on that way. Chunks that left the CPUs wait in a [`Queue`] for their grace
//! period; `queue` says which.
//!
//! # Who runs them
//! Freeing memory where it is allocated is cheapest: for the allocator, a few objects at a time are
//! several times cheaper than many. So every sixth retirement drops six values whose time has
//! come, of those that were retired on the same CPU. Callbacks that do anything else than drop a
//! value, and what is left when nobody retires any more, are the worker's; and callers of
//! `barrier`, and whoever drops the domain, take part. Nobody holds a lock of ours meanwhile.
//!
//! Whoever queues a callback of the other kind ([`Domain::call`]) may hold locks of the program's, and
//! does not expect that anything runs: such a thread drops nothing, leads no grace period (which
//! might wake futures and report stalls), and waits for room at most.
//!
//! # Pace
//! A grace period interrupts all CPUs that run this process, so one serves thousands of
//! callbacks, or a good many bytes, or whatever came within a millisecond.
mod barrier;
mod budget;
mod chunk;
mod enqueue;
mod invoke;
mod job;
mod pace;
mod queue;
mod record;
mod seal;

pub(crate) use barrier::{barrier, finish, run_now};
pub use budget::Budget;
pub(crate) use budget::{Limits, SharedBudget};
pub(crate) use invoke::inside_callback;
pub use invoke::set_callback_panic_hook;
pub use job::{Executor, Job, Runner};
pub(crate) use pace::Pace;
pub(crate) use queue::Queue;
pub(crate) use record::Callback;

use core::sync::atomic::Ordering::Relaxed;

use crate::domain::State;
use crate::driver::Driver;
use crate::stats::Stats;
use chunk::Chunk;

impl Driver {
    /// For the leader of a grace period that is about to end, whose phase was `old`: seals what
    /// the slots hold.
    pub(crate) fn collect(&self, old: usize) {
        seal::collect(&self.progress.sequence, old, |slot, end, round| {
            // SAFETY: taken out of its slot, once.
            let (chunk, length) = unsafe { Chunk::from_end(end) };
            let queue = self.queue();
            if length == 0 {
                queue.recycle(slot, chunk);
            } else {
                let ticket = queue.ticket(slot);
                queue.seal(chunk, length, round, &ticket);
            }
        });
    }
}

/// Adds what was counted of callbacks.
pub(crate) fn count(state: &State, driver: &Driver, stats: &mut Stats) {
    let Some(queue) = driver.queue.get() else {
        return;
    };
    let (sealed, run) = queue.totals();
    let queued = sealed + queue.open() + state.gp.readers.appended(Chunk::length);
    stats.callbacks_queued = queued;
    stats.callbacks_run = run;
    stats.callbacks_pending = queued.saturating_sub(run);
    stats.callbacks_pending_bytes = queue.pending().1;
    stats.callbacks_peak = queue.peak(stats.callbacks_pending);
    stats.callbacks_panicked = queue.panicked.load(Relaxed);
    stats.callbacks_held_up = queue.held_up.load(Relaxed);
    stats.callbacks_excess = queue.over_budget.load(Relaxed);
}
