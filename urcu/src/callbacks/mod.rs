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
mod job;
mod queue;
mod record;
mod seal;

pub(crate) use barrier::{barrier, finish, run_now};
pub use budget::Budget;
pub(crate) use budget::{Limits, SharedBudget};
pub use job::{Executor, Job, Runner};
pub(crate) use queue::Queue;
pub(crate) use record::Callback;

use core::any::Any;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::ptr;
use core::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use core::time::Duration;
use std::sync::Arc;

use crate::domain::{Domain, State};
use crate::driver::Driver;
use crate::stall::Watch;
use crate::stats::Stats;
use crate::sync::fork;
use crate::sync::hook::{self, Hook};
use crate::sync::{self, Instant, catch_unwind};
use crate::sys::{self, Appended, INVOKE_BATCH};
use chunk::Chunk;
use queue::{Batch, Which};

/// How often a sequence is tried before the stripe's lock is taken.
const ATTEMPTS: u32 = 16;

/// What makes a grace period worth its while before its time has come: callbacks, and bytes.
const GP_THRESHOLD: (usize, u64) = (8192, 1 << 20);

/// How long callbacks wait for others, so that a grace period serves them all.
const COALESCE_WINDOW: Duration = Duration::from_millis(1);

/// More callbacks in that time are a load under which threads that retire do most of the work.
const HEAVY: u64 = 2000;

/// Callbacks of which this thread is inside of one.
struct Frame {
    queue: *const Queue,
    batch: Batch,
    /// The next one to run.
    next: Cell<usize>,
    /// The process that runs them. A child that one of them forks is not inside of it.
    fork_generation: u64,
    outer: *const Frame,
}

sync::thread_local! {
    // Without a destructor: it is there as long as the thread is.
    static FRAMES: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

/// Whether the calling thread is inside a callback.
pub(crate) fn inside_callback() -> bool {
    frames().next().is_some()
}

/// The frames on this thread's stack, the innermost first.
fn frames<'a>() -> impl Iterator<Item = &'a Frame> {
    let mut next = FRAMES.with(Cell::get);
    let all = core::iter::from_fn(move || {
        // SAFETY: frames are on this thread's stack, and take themselves off the list before they
        // go; whoever iterates is further in.
        let frame = unsafe { next.as_ref() }?;
        next = frame.outer;
        Some(frame)
    });
    all.filter(|frame| frame.is_current_process())
}

type PanicHook = dyn Fn(&(dyn Any + Send)) + Send + Sync;

static PANIC_HOOK: Hook<PanicHook> = Hook::new();

/// Sets a hook that is called with the payload when a callback has panicked.
///
/// The program's own panic hook runs first, and the remaining callbacks run afterwards. By default
/// nothing more than that is done.
///
/// ```
/// urcu::set_callback_panic_hook(|payload| eprintln!("{:?}", payload.downcast_ref::<&str>()));
/// ```
pub fn set_callback_panic_hook(hook: impl Fn(&(dyn Any + Send)) + Send + Sync + 'static) {
    PANIC_HOOK.set(Some(Arc::new(hook)));
}

fn run(queue: &Queue, batch: Batch) {
    let frame = Frame {
        queue,
        batch,
        next: Cell::new(0),
        fork_generation: fork::generation(),
        outer: FRAMES.with(Cell::get),
    };
    FRAMES.with(|frames| frames.set(&raw const frame));
    frame.run_rest(queue);
    FRAMES.with(|frames| frames.set(frame.outer));
    if frame.is_current_process() {
        // SAFETY: all have run.
        unsafe { queue.finish(frame.batch) };
    }
}

impl Frame {
    fn is_current_process(&self) -> bool {
        self.fork_generation == fork::generation()
    }

    fn run_rest(&self, queue: &Queue) {
        let part = self.batch.part();
        let rest = || {
            while self.next.get() < part.count() && self.is_current_process() {
                let number = self.next.replace(self.next.get() + 1);
                // SAFETY: each once, one after the other.
                unsafe { part.run(number) };
            }
        };
        while let Err(payload) = catch_unwind(AssertUnwindSafe(rest)) {
            report_panic(queue, payload);
        }
    }
}

#[cold]
fn report_panic(queue: &Queue, payload: Box<dyn Any + Send>) {
    queue.panicked.fetch_add(1, Relaxed);
    // Nothing of it may unwind: the frame of whoever runs the callbacks is on the list.
    hook::use_up(PANIC_HOOK.get(), |hook| {
        if let Some(hook) = hook {
            hook(&*payload);
        }
    });
    discard(payload);
}

/// Drops what a panic of a user's code carried, which may panic in turn; what that carries leaks.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}

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

    /// Begins a grace period if that is worth while, for a thread that helps: it may wake those who
    /// await it, and report a stall. (For others the worker begins one, within a [`COALESCE_WINDOW`].)
    fn after_sealing(self: &Arc<Self>, state: &State) {
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
    fn ask(&self, queue: &Queue) {
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
    fn run_up_to(&self, round: u64, most: usize) -> usize {
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
