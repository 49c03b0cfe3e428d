//! Queueing callbacks.

use core::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;

use super::chunk::Chunk;
use super::invoke::{inside_callback, run};
use super::pace::GP_THRESHOLD;
use super::queue::Which;
use super::record::Callback;
use super::{Runner, seal};
use crate::domain::{Domain, State};
use crate::driver::Driver;
use crate::stall::Watch;
use crate::sys::{self, Appended, INVOKE_BATCH};

/// How often a sequence is tried before the stripe's lock is taken.
const ATTEMPTS: u32 = 16;

impl Domain {
    /// Queues a callback. Where that needs room in the budget: whether to wait for it.
    #[inline(always)]
    pub(crate) fn enqueue(&self, callback: Callback, waits: bool) {
        if callback.is_large() {
            return self.enqueue_slow(Appended::Aborted, callback, waits);
        }
        // Who calls `call` helps nobody: what is dropped may take a lock that it holds. (Asked here, where
        // the compiler knows the answer.)
        let helps = callback.drops();
        // SAFETY: a callback's record. Readers that have a handle are set up.
        match unsafe { self.state().gp.readers.append(callback.record()) } {
            Appended::At(end) => {
                if helps && end.is_multiple_of(INVOKE_BATCH * size_of::<Callback>()) {
                    self.help_out();
                }
            }
            other => self.enqueue_slow(other, callback, waits),
        }
    }

    #[cold]
    #[inline(never)]
    fn help_out(&self) {
        let (_, driver) = self.driver();
        driver.help();
    }

    /// What [`Domain::enqueue`] could not do at once, which found this.
    #[cold]
    #[inline(never)]
    fn enqueue_slow(&self, mut found: Appended, callback: Callback, waits: bool) {
        let (state, driver) = self.driver();
        let readers = &state.gp.readers;
        let helps = callback.drops();
        if readers.has_sequences() && !callback.is_large() {
            for _ in 0..ATTEMPTS {
                match found {
                    Appended::At(_) => break,
                    Appended::Full(end) if !driver.give_chunk(state, end, helps) => break,
                    _ => {}
                }
                // SAFETY: as in `enqueue`.
                found = unsafe { readers.append(callback.record()) };
            }
            if let Appended::At(_) = found {
                if !driver.is_current_process() {
                    // A handler forked, and this is the child, of whose slots its parent's tasks do
                    // not know.
                    let (_, driver) = self.driver();
                    driver.queue().installed.store(true, SeqCst);
                    driver.schedule();
                }
                return;
            }
        }
        driver.wait_for_room(state, waits, helps);
        // The hook for reports may have forked, and this may be the child.
        let (state, driver) = self.driver();
        let snap = || driver.progress.sequence.snap();
        let first = driver.queue().push(sys::cpu(), callback, snap);
        if first || !driver.is_attended() {
            driver.schedule();
        }
        if helps {
            driver.after_sealing(state);
            driver.help();
        }
    }
}

impl Driver {
    /// Gives the calling CPU an empty chunk in the place of the one that ends at `end`, if any. False
    /// if there is to be none, because the budget is exceeded. Who `helps` begins grace periods.
    fn give_chunk(self: &Arc<Self>, state: &State, end: usize, helps: bool) -> bool {
        let queue = self.queue();
        if !self.has_room() {
            return false;
        }
        if !self.is_attended() {
            // Nobody could be told now. Without a chunk the next one comes here again.
            return false;
        }
        let cpu = sys::cpu();
        let new = queue.chunk(cpu);
        // Before the full chunk leaves its slot: a `barrier` after that must know of it.
        let ticket = (end != 0).then(|| queue.ticket(cpu));
        // SAFETY: the chunk is empty and left to the slot if it is committed.
        let exchanged = unsafe {
            let readers = &state.gp.readers;
            seal::exchange(readers, &self.progress.sequence, end, new.start())
        };
        let Some(round) = exchanged else {
            queue.recycle(cpu, new);
            if let Some(ticket) = ticket {
                queue.cancel(ticket);
            }
            return true;
        };
        new.leave();
        if let Some(ticket) = ticket {
            // SAFETY: it was in the slot, and this thread has taken it out.
            let (full, length) = unsafe { Chunk::from_end(end) };
            queue.seal(full, length, round, &ticket);
            if helps {
                self.after_sealing(state);
            }
        } else {
            // The first callback of this CPU since the last grace period.
            queue.installed.store(true, SeqCst);
        }
        // The worker may not know, or may have looked while this thread had the full chunk.
        self.schedule();
        true
    }

    /// Begins a grace period if that is worth while, for a thread that helps: it may wake those who
    /// await it, and report a stall. (For others the worker begins one, within a [`COALESCE_WINDOW`].)
    pub(super) fn after_sealing(self: &Arc<Self>, state: &State) {
        let queue = self.queue();
        let (mut count, mut bytes) = GP_THRESHOLD;
        if self.is_a_quarter_used() {
            (count, bytes) = (1, 1);
        }
        if queue.is_worth_a_grace_period(count, bytes) {
            let round = self.progress.sequence.snap();
            // Reports are the worker's, for the hook is a user's code; refused barriers are too, or
            // a caller's of `synchronize`.
            let watch = Watch::quiet(self);
            let advanced = state.gp.advance(&self.progress, round, &watch);
            if advanced.is_err() {
                self.schedule();
            }
            self.tell_worker(self.progress.sequence.done());
        }
    }

    /// Drops some values that were retired on this CPU and whose time has come.
    fn help(self: &Arc<Self>) {
        if inside_callback() || !matches!(self.settings.runner, Runner::Shared) {
            return;
        }
        let Some(queue) = self.queue.get() else {
            return;
        };
        let done = self.progress.sequence.done();
        let stripe = sys::cpu();
        if let Some((batch, backlog)) = queue.take(stripe, done, Which::Drops) {
            run(queue, batch);
            // A value's drop may have forked, and this may be the child.
            if backlog
                && self.is_current_process()
                && let Some((batch, _)) = queue.take(stripe, done, Which::Drops)
            {
                run(queue, batch);
            }
        }
    }
}
