//! What a domain has to do behind its callers' backs: grace periods that somebody polls for or
//! awaits, and callbacks. On the heap, made when first needed, and known to the worker while there
//! is something to do.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::sync::Arc;

use crate::callbacks::{Job, Limits, Pace, Queue, Runner, SharedBudget};
use crate::domain::{Settings, State};
use crate::fork;
use crate::grace_period::Place;
use crate::machine::thread::{self, Thread};
use crate::machine::{
    self, AtomicBool, AtomicU64, Instant, Mutex, Ordering, Refused, catch_unwind, fence,
};
use crate::once::Once;
use crate::polling::Futures;
use crate::rundown::Rundown;
use crate::stall::{Clock, Watch};
use crate::stats::Counts;
use crate::worker;

#[derive(Debug)]
pub(crate) struct Tasks {
    pub(crate) settings: Settings,
    /// The process in which all this was made.
    incarnation: u64,
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
    /// Made with the first callback.
    pub(crate) queue: Once<Queue>,
    pub(crate) pace: Mutex<Pace>,
    pub(crate) limits: Limits,
    pub(crate) futures: Futures,
    pub(crate) counts: Counts,
    pub(crate) clock: Clock,
}

/// What became of a turn of the worker's.
pub(crate) enum Turn {
    /// Nothing is left to do.
    Over,
    /// A grace period waits for readers.
    Waiting { patience: Option<Duration> },
    /// There is more to do.
    More,
}

impl Tasks {
    /// For a domain whose readers have been set up since it was asked which process this is.
    ///
    /// # Safety
    /// [`Tasks::close`] is called before the state goes.
    pub(crate) unsafe fn new(
        state: &State,
        settings: Settings,
        budget: &SharedBudget,
        incarnation: u64,
    ) -> Arc<Tasks> {
        Arc::new(Tasks {
            settings,
            incarnation,
            progress: Place::new(&state.grace_periods.readers),
            // SAFETY: the caller's.
            state: unsafe { Rundown::new(state) },
            wanted: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            thread: Mutex::default(),
            queue: Once::new(),
            pace: Mutex::default(),
            limits: Limits::new(budget),
            futures: Futures::new(),
            counts: Counts::default(),
            clock: Clock::default(),
        })
    }

    /// Whether this is of the process that runs, not of one that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.incarnation == fork::incarnation()
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
    /// If the kernel refuses the barrier, for good or for [`machine::PATIENCE`].
    pub(crate) fn wait_for(
        &self,
        state: &State,
        round: u64,
        watch: &Watch<'_>,
    ) -> Result<(), Refused> {
        self.wait_with(watch, || {
            state.grace_periods.wait(&self.progress, round, watch)
        })
    }

    /// The same where `wait` is how to wait.
    pub(crate) fn wait_with(
        &self,
        watch: &Watch<'_>,
        wait: impl Fn() -> Result<bool, Refused>,
    ) -> Result<(), Refused> {
        let mut refusals = Refusals::new();
        loop {
            match wait() {
                Ok(true) => return Ok(()),
                Ok(false) => watch.tell(),
                Err(refused) => refusals.pause(refused)?,
            }
        }
    }

    /// The domain ends: all its sections are over.
    pub(crate) fn close(&self) {
        if !self.is_ours() {
            return; // A callback of a domain that is dropped forked: this is the child.
        }
        self.state.close(|| !self.is_ours());
        self.wake(u64::MAX);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.with_state(|_| ()).is_none()
    }

    /// Wakes those who await a grace period up to `done`. Not in a child that was forked in the
    /// middle of what the caller does: the futures are its parent's.
    pub(crate) fn wake(&self, done: u64) {
        if self.is_ours() {
            self.futures.wake(done);
        }
    }

    /// Has the worker see to it that grace period `round` ends.
    pub(crate) fn want(self: &Arc<Self>, round: u64) {
        // Release: see `Rounds::is_ours`.
        self.wanted.fetch_max(round, Ordering::Release);
        self.schedule();
    }

    /// Has whoever does this domain's work take a turn, if they are not about to.
    pub(crate) fn schedule(self: &Arc<Self>) {
        if !self.is_ours() {
            return; // A fork in the middle of what the caller does: this is the child.
        }
        // Pairs with the fence in `turn`: either the worker sees what there is to do, or we see
        // that it has left.
        fence(Ordering::SeqCst);
        if self.scheduled.load(Ordering::Relaxed) || self.scheduled.swap(true, Ordering::Relaxed) {
            if matches!(self.settings.runner, Runner::Shared) {
                // It may have been impossible to start it then.
                worker::is_there();
            }
            return;
        }
        let this = Arc::clone(self);
        match self.settings.runner {
            Runner::Shared => worker::hand(this),
            Runner::OwnThread => {
                let mut thread = self.thread.lock();
                match &*thread {
                    Some(thread) => thread.unpark(),
                    None => {
                        *thread = worker::start_own(this);
                        if thread.is_none() {
                            self.unschedule(); // Whoever comes next tries again.
                        }
                    }
                }
            }
            Runner::Caller => self.unschedule(),
            Runner::Executor(executor) => {
                // A panic in it drops the job. Whoever queues a callback has nothing to do with it.
                let execute = AssertUnwindSafe(|| executor.execute(Job::new(this)));
                if let Err(payload) = catch_unwind(execute) {
                    crate::callbacks::discard(payload);
                }
            }
        }
    }

    /// Nobody does the work any more.
    pub(crate) fn unschedule(&self) {
        self.scheduled.store(false, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        !self.wants_more() && !self.has_callbacks()
    }

    pub(crate) fn wants_more(&self) -> bool {
        // Acquire: see `Rounds::is_ours`.
        let wanted = self.wanted.load(Ordering::Acquire);
        !self.progress.rounds.is_done(wanted)
    }

    /// Goes on with the grace periods that are wanted, as far as that needs no waiting. Whether they
    /// are done. There may be something to be told ([`Watch::tell`]).
    ///
    /// # Errors
    /// If the kernel refuses the barrier.
    pub(crate) fn advance(&self, state: &State, watch: &Watch<'_>) -> Result<bool, Refused> {
        // Acquire: see `Rounds::is_ours`.
        let wanted = self.wanted.load(Ordering::Acquire);
        state.grace_periods.advance(&self.progress, wanted, watch)
    }

    /// A turn of the worker's: goes on with grace periods as far as that needs no waiting, and runs
    /// callbacks that are ripe, some at a time.
    pub(crate) fn turn(&self) -> Turn {
        /// How many callbacks of one domain run before others get their turn.
        const SOME: usize = 1024;
        /// When a barrier is tried again that was refused for a reason that passes.
        const AGAIN: Duration = Duration::from_millis(10);
        if !self.is_ours() {
            return Turn::Over; // Another callback forked, and this is the child.
        }
        let watch = Watch::passing(self);
        let before = self.with_state(|state| {
            let due = self.pace();
            let over = self.advance(state, &watch);
            (self.progress.rounds.done(), over, due)
        });
        let Some((done, over, due)) = before else {
            return Turn::Over;
        };
        // Outside: all of this runs a user's code.
        match self.settings.runner {
            Runner::Shared | Runner::OwnThread => watch.tell_elsewhere(),
            Runner::Caller | Runner::Executor(_) => watch.tell(),
        }
        let (waits, again) = match over {
            Ok(over) => (!over, None),
            Err(refused) if refused.is_passing() => (true, Some(AGAIN)),
            Err(refused) => machine::cannot_end(refused),
        };
        self.wake(done);
        let ran = self.run_ripe(done, SOME);
        if !self.is_ours() {
            return Turn::Over;
        }
        let left = self.with_state(|_| {
            if self.is_over() {
                self.queue.get().inspect(|queue| queue.trim());
                self.unschedule();
                fence(Ordering::SeqCst);
                // Whoever came meanwhile may have seen us scheduled.
                if self.is_over() || self.scheduled.swap(true, Ordering::Relaxed) {
                    return Turn::Over;
                }
                return Turn::More;
            }
            let rounds = &self.progress.rounds;
            // What came since `advance` found us scheduled, and did not poke: nobody would.
            let told = waits || (due.is_some() && !self.wants_more());
            if ran != 0 || !told || rounds.done() != done {
                return Turn::More;
            }
            let due = due.map(|due| due.saturating_duration_since(Instant::now()));
            let stall = if waits { watch.patience() } else { None };
            Turn::Waiting {
                patience: [due, stall, again].into_iter().flatten().min(),
            }
        });
        left.unwrap_or(Turn::Over)
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
    fn pause(&mut self, refused: Refused) -> Result<(), Refused> {
        let since = self.since.get_or_insert_with(Instant::now);
        if !refused.is_passing() || since.elapsed() >= machine::PATIENCE {
            return Err(refused);
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(100));
        Ok(())
    }
}
