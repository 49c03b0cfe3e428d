//! What a domain has to do behind its callers' backs: grace periods that somebody polls for or
//! awaits, and callbacks. On the heap, made when first needed, and known to the worker while there
//! is something to do.

pub(crate) mod worker;

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::sync::Arc;

use crate::callbacks::{Job, Limits, Pace, Queue, Runner, SharedBudget, inside_callback};
use crate::domain::State;
use crate::gp::grace_period::Place;
use crate::polling::Futures;
use crate::settings::Settings;
use crate::stall::{Clock, Watch};
use crate::stats::Counts;
use crate::sync::fork;
use crate::sync::once::Once;
use crate::sync::rundown::Rundown;
use crate::sync::thread::{self, Thread};
use crate::sync::{
    AtomicBool, AtomicU32, AtomicU64, Instant, Mutex, Ordering, catch_unwind, fence,
};
use crate::sys::{self, MembarrierError};
use worker::Calling;

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) settings: Settings,
    /// The process in which all this was made.
    fork_generation: u64,
    /// The domain's, until the domain is dropped, which waits for those who use it.
    state: Rundown<State>,
    /// How far the domain's grace periods have come in that process.
    pub(crate) progress: Place,
    /// The latest grace period that somebody wants without waiting for it.
    pub(crate) wanted: AtomicU64,
    /// The worker knows, or will be told by whoever set this.
    scheduled: AtomicBool,
    /// The thread of [`Runner::OwnThread`].
    thread: Mutex<Option<Thread>>,
    /// How many threads of the program's see to grace periods, where the worker does not: by waiting
    /// for one, or with a job.
    drivers: AtomicU32,
    /// Made with the first callback.
    pub(crate) queue: Once<Queue>,
    pub(crate) pace: Mutex<Pace>,
    pub(crate) limits: Limits,
    pub(crate) futures: Futures,
    pub(crate) counts: Counts,
    pub(crate) clock: Clock,
}

/// What there is to do for whoever drives.
pub(crate) enum Step {
    /// Nothing is left.
    Over,
    /// A user's code is to be run.
    Ready,
    /// The kernel refuses the barrier, which is to be said by a panic and tried again later.
    Refused(MembarrierError),
    /// A grace period waits for readers, or callbacks for whoever runs them.
    Waiting { patience: Option<Duration> },
    /// There is more to do.
    More,
}

/// A thread that sees to grace periods, until this is dropped.
struct Driving<'t>(&'t Driver);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.drives_no_more();
    }
}

impl Driver {
    /// For a domain whose readers have been set up since it was asked which process this is.
    ///
    /// # Safety
    /// [`Driver::close`] is called before the state goes.
    pub(crate) unsafe fn new(
        state: &State,
        settings: Settings,
        budget: &SharedBudget,
        fork_generation: u64,
    ) -> Arc<Driver> {
        Arc::new(Driver {
            settings,
            fork_generation,
            progress: Place::new(&state.gp.readers),
            // SAFETY: the caller's.
            state: unsafe { Rundown::new(state) },
            wanted: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            thread: Mutex::default(),
            drivers: AtomicU32::new(0),
            queue: Once::new(),
            pace: Mutex::default(),
            limits: Limits::new(budget),
            futures: Futures::new(),
            counts: Counts::default(),
            clock: Clock::default(),
        })
    }

    /// Whether this is of the process that runs, not of one that it was forked from.
    pub(crate) fn is_current_process(&self) -> bool {
        self.fork_generation == fork::generation()
    }

    pub(crate) fn queue(&self) -> &Queue {
        self.queue.get_or_make(|_| true, Queue::new)
    }

    /// Runs `f` while the domain cannot end; `None` if it has ended. Nothing of a user's may run
    /// inside: it might drop the domain.
    pub(crate) fn with_state<R>(&self, f: impl FnOnce(&State) -> R) -> Option<R> {
        self.state.with(f)
    }

    /// The domain, to be compared with others while it is there.
    pub(crate) fn domain(&self) -> *const State {
        self.state.target()
    }

    /// The domain in messages.
    pub(crate) fn shown(&self) -> String {
        match self.settings.name {
            Some(name) => format!("RCU domain \"{name}\""),
            None => format!("RCU domain at {:p}", self.domain()),
        }
    }

    /// Waits for a grace period. A user's code runs meanwhile, so the caller holds nothing that others
    /// wait for.
    ///
    /// # Errors
    /// If the kernel refuses the barrier, for good or for [`sys::PATIENCE`].
    pub(crate) fn wait_for(
        &self,
        state: &State,
        round: u64,
        watch: &Watch<'_>,
    ) -> Result<(), MembarrierError> {
        self.wait_with(watch, || state.gp.wait(&self.progress, round, watch))
    }

    /// The same where `wait` is how to wait.
    pub(crate) fn wait_with(
        &self,
        watch: &Watch<'_>,
        wait: impl Fn() -> Result<bool, MembarrierError>,
    ) -> Result<(), MembarrierError> {
        let mut refusals = Refusals::new();
        loop {
            // Not in the hook: it might wait for those who would be woken then.
            match self.driving(&wait) {
                Ok(true) => return Ok(()),
                Ok(false) => watch.tell(),
                Err(refused) => refusals.pause(refused)?,
            }
        }
    }

    /// The domain ends: all its sections are over.
    pub(crate) fn close(self: &Arc<Self>) {
        if !self.is_current_process() {
            return; // A callback of a domain that is dropped forked: this is the child.
        }
        self.state.close(|| !self.is_current_process());
        self.tell(u64::MAX);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.with_state(|_| ()).is_none()
    }

    /// Whoever has led up to grace period `done` calls this: those who await it are to be woken. By
    /// the worker, if it drives this domain: the caller may hold locks of the program's.
    pub(crate) fn tell(self: &Arc<Self>, done: u64) {
        if !self.is_current_process() {
            return; // A fork in the middle of what the caller does: the futures are its parent's.
        }
        if self.is_the_workers() {
            self.tell_worker(done);
        } else {
            self.futures.wake(done);
        }
    }

    /// The same where no user's code may run. Where the worker does not drive the domain, whoever does
    /// finds out.
    pub(crate) fn tell_worker(self: &Arc<Self>, done: u64) {
        if self.is_the_workers() && self.is_current_process() {
            if self.futures.is_due(done) {
                self.schedule();
                worker::poke();
            } else if self.scheduled.load(Ordering::Relaxed) {
                // It may have been impossible to start it.
                worker::is_there();
            }
        }
    }

    /// Wakes those whose grace period is over. For the worker.
    pub(crate) fn wake_ready(&self) {
        let done = self.with_state(|_| self.progress.sequence.done());
        if self.is_current_process() {
            self.futures.wake(done.unwrap_or(u64::MAX));
        }
    }

    /// Reports what whoever drives could not have reported elsewhere.
    pub(crate) fn report(&self) {
        if self.is_current_process() {
            self.clock.tell();
        }
    }

    /// Wakes all who await a grace period: from now on they drive it.
    pub(crate) fn wake_all(&self) {
        if self.is_current_process() {
            self.futures.wake(u64::MAX);
        }
    }

    pub(crate) fn is_the_workers(&self) -> bool {
        matches!(self.settings.runner, Runner::Shared | Runner::OwnThread)
    }

    /// Whether somebody sees to it that grace periods go on, apart from those who await them.
    pub(crate) fn is_driven(self: &Arc<Self>) -> bool {
        if self.is_the_workers() {
            return worker::drives();
        }
        // For an executor whose job was dropped.
        self.schedule();
        // A callback that blocks may keep an executor from running the job that is counted.
        self.drivers.load(Ordering::Relaxed) != 0 && !inside_callback()
    }

    /// Runs `f`, during which the calling thread drives grace periods.
    pub(crate) fn driving<R>(&self, f: impl FnOnce() -> R) -> R {
        self.drives();
        let _driving = Driving(self);
        f()
    }

    pub(crate) fn drives(&self) {
        self.drivers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drives_no_more(&self) {
        let was = self.drivers.fetch_sub(1, Ordering::Relaxed);
        if was == 1 && !self.is_the_workers() {
            // Pairs with the fence in `Wait::poll`: either we see a future, or it sees that nobody
            // drives.
            fence(Ordering::SeqCst);
            self.wake_all();
        }
    }

    /// Has the worker see to it that grace period `round` ends.
    pub(crate) fn want(self: &Arc<Self>, round: u64) {
        // Release: see `Sequence::is_current_process`.
        self.wanted.fetch_max(round, Ordering::Release);
        self.schedule();
    }

    /// Has whoever does this domain's work take a turn, if they are not about to.
    pub(crate) fn schedule(self: &Arc<Self>) {
        if !self.is_current_process() {
            return; // A fork in the middle of what the caller does: this is the child.
        }
        // Pairs with the fence in `drive`: either the worker sees what there is to do, or we see
        // that it has left. (And with that in `Role::give_up`.)
        fence(Ordering::SeqCst);
        let scheduled =
            self.scheduled.load(Ordering::Relaxed) || self.scheduled.swap(true, Ordering::Relaxed);
        match self.settings.runner {
            Runner::Shared | Runner::OwnThread => {
                self.has_own_thread();
                if scheduled {
                    // It may have been impossible to start it then, or it may be inside a user's code.
                    worker::drives();
                } else {
                    worker::hand(Arc::clone(self));
                }
            }
            _ if scheduled => {}
            Runner::Caller => self.unschedule(),
            Runner::Executor(executor) => {
                // A panic in it drops the job. Whoever queues a callback has nothing to do with it.
                let job = Job::new(Arc::clone(self));
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| executor.execute(job))) {
                    crate::sync::panics::discard(payload);
                }
            }
        }
    }

    /// Whether there is a thread that runs callbacks, or whoever does needs none of ours; tries to
    /// start it.
    pub(crate) fn is_attended(self: &Arc<Self>) -> bool {
        !self.is_the_workers() || (worker::is_there() && self.has_own_thread())
    }

    /// The same for the domain's own thread, where it is to have one for its callbacks.
    fn has_own_thread(self: &Arc<Self>) -> bool {
        if !matches!(self.settings.runner, Runner::OwnThread) || self.queue.get().is_none() {
            return true;
        }
        let mut thread = self.thread.lock();
        if thread.is_none() {
            *thread = worker::start_own(Arc::clone(self));
        }
        thread.is_some()
    }

    /// Nobody does the work any more.
    pub(crate) fn unschedule(&self) {
        self.scheduled.store(false, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        !self.wants_more() && !self.has_callbacks()
    }

    pub(crate) fn wants_more(&self) -> bool {
        // Acquire: see `Sequence::is_current_process`.
        let wanted = self.wanted.load(Ordering::Acquire);
        !self.progress.sequence.is_done(wanted)
    }

    /// Goes on with the grace periods that are wanted, as far as that needs no waiting. Whether they
    /// are done. There may be something to be told ([`Watch::tell`]).
    ///
    /// # Errors
    /// If the kernel refuses the barrier.
    pub(crate) fn advance(
        &self,
        state: &State,
        watch: &Watch<'_>,
    ) -> Result<bool, MembarrierError> {
        // Acquire: see `Sequence::is_current_process`.
        let wanted = self.wanted.load(Ordering::Acquire);
        state.gp.advance(&self.progress, wanted, watch)
    }

    /// Whether callbacks have been queued, or grace periods wanted, that are not over.
    pub(crate) fn is_to_be_driven(&self) -> bool {
        self.is_current_process()
            && !self.is_closed()
            && (self.wants_more() || self.has_unready(self.progress.sequence.done()))
    }

    /// Goes on with grace periods as far as that needs no waiting. No user's code runs here, but for
    /// the hook for stalls of domains that callers and executors drive. Whoever calls this is told by
    /// [`worker::poke`] when there is reason to come again.
    pub(crate) fn drive(self: &Arc<Self>) -> Step {
        /// When a barrier is tried again that was refused for a reason that passes.
        const AGAIN: Duration = Duration::from_millis(10);
        if !self.is_current_process() {
            return Step::Over; // Another callback forked, and this is the child.
        }
        let watch = Watch::passing(self);
        let before = self.with_state(|state| {
            let due = self.pace();
            let over = self.advance(state, &watch);
            (self.progress.sequence.done(), over, due)
        });
        let Some((done, over, due)) = before else {
            // Its grace periods are over.
            return match self.futures.is_due(u64::MAX) {
                true => Step::Ready,
                false => Step::Over,
            };
        };
        if !self.is_the_workers() {
            watch.tell();
        } else if !watch.tell_elsewhere() {
            return Step::Ready;
        }
        if !self.is_current_process() {
            return Step::Over; // The hook forked.
        }
        let ready = self.has_ready(done);
        if self.futures.is_due(done) || (ready && self.may_run()) {
            return Step::Ready;
        }
        let (waits, again) = match over {
            Ok(over) => (!over, None),
            Err(refused) if refused.is_passing() => (true, Some(AGAIN)),
            Err(refused) => return Step::Refused(refused),
        };
        let left = self.with_state(|_| {
            if self.is_over() {
                self.queue.get().inspect(|queue| queue.trim());
                self.unschedule();
                fence(Ordering::SeqCst);
                // Whoever came meanwhile may have seen us scheduled.
                if self.is_over() || self.scheduled.swap(true, Ordering::Relaxed) {
                    return Step::Over;
                }
                return Step::More;
            }
            let sequence = &self.progress.sequence;
            // What came since `advance` found us scheduled, and did not poke: nobody would.
            let told = waits || ((due.is_some() || ready) && !self.wants_more());
            if !told || sequence.done() != done {
                return Step::More;
            }
            let due = due.map(|due| due.saturating_duration_since(Instant::now()));
            let stall = if waits { watch.patience() } else { None };
            // Those who run callbacks do not tell of every one, nor do those who queue more.
            let others = ready.then_some(worker::MOMENT);
            Step::Waiting {
                patience: [due, stall, again, others].into_iter().flatten().min(),
            }
        });
        left.unwrap_or(Step::More)
    }

    /// Whether whoever drives is to run callbacks that are ready. Has the domain's own thread do so, if
    /// it has one.
    fn may_run(self: &Arc<Self>) -> bool {
        match self.settings.runner {
            Runner::Shared => Calling::is_free(),
            Runner::OwnThread => {
                self.has_own_thread();
                if let Some(thread) = &*self.thread.lock() {
                    thread.unpark();
                }
                false
            }
            Runner::Caller => false,
            Runner::Executor(_) => true,
        }
    }

    /// Runs callbacks that are ready, some at a time, so that other domains get their turn. How many.
    pub(crate) fn run_some(&self) -> usize {
        const CALLBACKS_PER_TURN: usize = 1024;
        let done = self.with_state(|_| self.progress.sequence.done());
        // Outside: it runs a user's code.
        done.map_or(0, |done| self.run_ready(done, CALLBACKS_PER_TURN))
    }

    /// The same by the worker, of which one thread runs callbacks.
    pub(crate) fn run_shared(&self) {
        if matches!(self.settings.runner, Runner::Shared)
            && self.is_current_process()
            && let Some(_calling) = Calling::take()
        {
            self.run_some();
        }
    }

    /// A turn of an executor's: [`Driver::drive`], and what is ready.
    pub(crate) fn turn(self: &Arc<Self>) -> Step {
        let step = self.drive();
        if let Step::Ready = step {
            // Meanwhile those who await a grace period drive it: a callback might wait for them.
            self.drives_no_more();
            self.wake_ready();
            self.run_some();
            self.drives();
            if !self.is_current_process() {
                return Step::Over;
            }
        }
        step
    }
}

/// A barrier that the kernel refuses, again and again perhaps.
struct Refusals {
    /// The first time.
    since: Option<Instant>,
    pause: Duration,
}

impl Refusals {
    fn new() -> Self {
        Refusals {
            since: None,
            pause: Duration::from_millis(1),
        }
    }

    /// Sleeps before the next try.
    ///
    /// # Errors
    /// If there is to be none.
    fn pause(&mut self, refused: MembarrierError) -> Result<(), MembarrierError> {
        let since = self.since.get_or_insert_with(Instant::now);
        if !refused.is_passing() || since.elapsed() >= sys::PATIENCE {
            return Err(refused);
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(100));
        Ok(())
    }
}
