//! The driver of a domain: it advances the grace periods that somebody polls for or awaits, and runs
//! callbacks. It lies on the heap and is made when it is first needed. The worker knows it while there is
//! work.

mod callers;
pub(crate) mod futures;
pub(crate) mod job;
pub(crate) mod observer;
mod refusals;
mod roles;
mod wakes;
pub(crate) mod work;
pub(crate) mod worker;

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::sync::Arc;

use crate::callbacks::{Callbacks, inside_callback};
use crate::gp::grace_period::{GpState, Place};
use crate::gp::observer::Observer;
use crate::gp::sequence::Round;
use crate::settings::SharedBudget;
use crate::stall::trace::DomainId;
use crate::stall::{Clock, Detector, Subject};
use crate::stats::Counts;
use crate::sync::panics::discard;
use crate::sync::rundown::Rundown;
use crate::sync::{
    AtomicBool, AtomicU32, AtomicU64, Instant, Mutex, Ordering, catch_unwind, fence, fork,
};
use crate::sys::MembarrierError;
use crate::sys::thread::Thread;
use futures::Futures;
use job::{Executor, Job, Runner, Settings};
use observer::GpObserver;
use refusals::Refusals;
use work::{Step, Work};
use worker::Calling;

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) settings: Settings,
    /// The fork generation of the process in which this was made.
    fork_generation: u64,
    /// The domain's state of grace periods. Dropping the domain waits for those who use it.
    gp: Rundown<GpState>,
    /// The progress of the domain's grace periods in that process.
    pub(crate) progress: Place,
    /// The latest grace period that somebody wants without waiting for it.
    pub(crate) wanted: AtomicU64,
    /// Set while the worker knows of the driver, or the thread that set this is about to tell it.
    pub(crate) scheduled: AtomicBool,
    /// The thread of [`Runner::OwnThread`].
    thread: Mutex<Option<Thread>>,
    /// The number of the program's threads that drive grace periods in place of the worker: by waiting for
    /// one, or by a job.
    drivers: AtomicU32,
    pub(crate) callbacks: Callbacks,
    pub(crate) futures: Futures,
    pub(crate) counts: Counts,
    pub(crate) clock: Clock,
}

/// Counts the calling thread as one that drives grace periods, until this is dropped.
struct Driving<'t>(&'t Driver);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.end_driving();
    }
}

impl Driver {
    /// Makes the driver of a domain. Its readers were set up after `fork_generation` was asked for.
    ///
    /// # Safety
    /// [`Driver::close`] is called before the state goes.
    pub(crate) unsafe fn new(
        gp: &GpState,
        settings: Settings,
        budget: &SharedBudget,
        fork_generation: u64,
    ) -> Arc<Driver> {
        Arc::new(Driver {
            settings,
            fork_generation,
            progress: Place::new(&gp.readers),
            // SAFETY: whoever lets the state go calls `close` first, which is the caller's promise, and which
            // closes this.
            gp: unsafe { Rundown::new(gp) },
            wanted: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            thread: Mutex::default(),
            drivers: AtomicU32::new(0),
            callbacks: Callbacks::new(budget, fork_generation),
            futures: Futures::new(),
            counts: Counts::default(),
            clock: Clock::default(),
        })
    }

    /// Returns whether this belongs to the running process, and not to one that it was forked from.
    #[inline]
    pub(crate) fn is_current_process(&self) -> bool {
        self.fork_generation == fork::generation()
    }

    /// Runs `f` while the domain cannot end; `None` if it has ended. No user code may run inside: it might
    /// drop the domain.
    pub(crate) fn with_gp<R>(&self, f: impl FnOnce(&GpState) -> R) -> Option<R> {
        self.gp.with(f)
    }

    /// Returns the domain, for the stall detector.
    fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.settings.name,
            // A domain's state begins with its state of grace periods.
            domain: DomainId::of(self.gp.target()),
            clock: &self.clock,
            sequence: &self.progress.sequence,
            stalls: &self.counts.stalls,
            fork_generation: self.fork_generation,
        }
    }

    fn observer<'a>(&'a self, detector: Detector<'a>) -> GpObserver<'a> {
        GpObserver {
            callbacks: &self.callbacks,
            sequence: &self.progress.sequence,
            counts: &self.counts,
            detector,
        }
    }

    /// Returns the observer of a thread that waits itself.
    #[track_caller]
    pub(crate) fn blocking(&self) -> GpObserver<'_> {
        self.observer(Detector::blocking(self.subject()))
    }

    /// Returns the observer of the worker, and of others who take a step and come again.
    pub(crate) fn passing(&self) -> GpObserver<'_> {
        self.observer(Detector::passing(self.subject()))
    }

    /// Returns the observer of those who take a step and must run no user code.
    fn quiet(&self) -> GpObserver<'_> {
        self.observer(Detector::quiet(self.subject()))
    }

    /// Waits for a grace period. User code may run meanwhile, so the caller holds nothing that others wait
    /// for.
    ///
    /// # Errors
    /// If the kernel refuses the barrier, for good or for [`sys::PATIENCE`].
    pub(crate) fn wait_for(
        &self,
        gp: &GpState,
        number: Round,
        observer: &GpObserver<'_>,
    ) -> Result<(), MembarrierError> {
        self.wait_with(observer, || gp.wait(&self.progress, number, observer))
    }

    /// Does the same, and waits by `wait`.
    pub(crate) fn wait_with(
        &self,
        observer: &GpObserver<'_>,
        wait: impl Fn() -> Result<bool, MembarrierError>,
    ) -> Result<(), MembarrierError> {
        let mut refusals = Refusals::new();
        loop {
            // No counting inside the hook: it might wait for those who are woken only when the count falls.
            match self.driving(&wait) {
                Ok(true) => return Ok(()),
                Ok(false) => observer.tell(),
                Err(refused) => refusals.pause(refused)?,
            }
        }
    }

    /// Ends the driver, for a domain that is dropped and all of whose sections are over.
    pub(crate) fn close(self: &Arc<Self>) {
        if !self.is_current_process() {
            return; // A callback of a domain that is dropped forked: this is the child.
        }
        self.gp.close(|| !self.is_current_process());
        self.tell(Round::LAST);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.with_gp(|_| ()).is_none()
    }

    /// Wakes those who await a grace period up to `done`; the leader calls this. If the worker drives this
    /// domain, it does the waking, because the caller may hold locks of the program.
    pub(crate) fn tell(self: &Arc<Self>, done: Round) {
        if !self.is_current_process() {
            return; // A fork in the middle of what the caller does: the futures are its parent's.
        }
        if self.is_the_workers() {
            self.tell_worker(done);
        } else {
            self.futures.wake(done);
        }
    }

    /// Does the same where no user code may run. If the worker does not drive the domain, the thread that does
    /// finds out later.
    pub(crate) fn tell_worker(self: &Arc<Self>, done: Round) {
        if self.is_the_workers() && self.is_current_process() {
            if self.futures.is_due(done) {
                self.schedule();
                worker::poke();
            } else if self.scheduled.load(Ordering::Relaxed) {
                // An earlier attempt to start the worker may have failed.
                worker::ensure_started();
            }
        }
    }

    pub(crate) fn is_the_workers(&self) -> bool {
        matches!(self.settings.runner, Runner::Shared | Runner::OwnThread)
    }

    /// Returns whether somebody sees to it that grace periods go on, apart from those who await them.
    pub(crate) fn is_driven(self: &Arc<Self>) -> bool {
        if self.is_the_workers() {
            return worker::ensure_driven();
        }
        // An executor may have dropped the job.
        self.schedule();
        // A callback that blocks may keep an executor from running the job that is counted.
        self.drivers.load(Ordering::Relaxed) != 0 && !inside_callback()
    }

    /// Runs `f`, during which the calling thread drives grace periods.
    pub(crate) fn driving<R>(&self, f: impl FnOnce() -> R) -> R {
        self.begin_driving();
        let _driving = Driving(self);
        f()
    }

    pub(crate) fn begin_driving(&self) {
        self.drivers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end_driving(&self) {
        let was = self.drivers.fetch_sub(1, Ordering::Relaxed);
        if was == 1 && !self.is_the_workers() {
            // Pairs with the fence in `Wait::poll`: either we see a future, or it sees that nobody
            // drives.
            fence(Ordering::SeqCst);
            self.wake_all();
        }
    }

    /// Makes the worker drive the grace periods up to `round`.
    pub(crate) fn want(self: &Arc<Self>, number: Round) {
        self.want_quietly(number);
        self.schedule();
    }

    /// Wakes whoever does this domain's work, unless they are about to do it.
    pub(crate) fn schedule(self: &Arc<Self>) {
        if !self.is_current_process() {
            return; // A fork in the middle of what the caller does: this is the child.
        }
        // Pairs with the fence in `drive`: either the worker sees what there is to do, or we see
        // that it has left. (And with that in `Role::give_up`.)
        fence(Ordering::SeqCst);
        let scheduled =
            self.scheduled.load(Ordering::Relaxed) || self.scheduled.swap(true, Ordering::Relaxed);
        match &self.settings.runner {
            Runner::Shared | Runner::OwnThread => {
                self.start_own_thread();
                if scheduled {
                    // The worker may not have been startable then, or may be inside user code.
                    worker::ensure_driven();
                } else {
                    worker::hand(Arc::clone(self) as Arc<dyn Work>);
                }
            }
            _ if scheduled => {}
            Runner::Caller => self.unschedule(),
            Runner::Executor(executor) => self.hand_to(*executor),
            Runner::SharedExecutor(executor) => self.hand_to(&**executor),
        }
    }

    fn hand_to(self: &Arc<Self>, executor: &dyn Executor) {
        // A panic in `execute` drops the job. It is caught, because it is no business of whoever queues a
        // callback.
        let job = Job::new(Arc::clone(self) as Arc<dyn Work>);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| executor.execute(job))) {
            discard(payload);
        }
    }

    /// Starts the library's thread that runs the callbacks, if they are to run on one. Returns false if it
    /// could not be started.
    pub(crate) fn attend(self: &Arc<Self>) -> bool {
        !self.is_the_workers() || (worker::ensure_started() && self.start_own_thread())
    }

    /// Starts the domain's own thread, if its callbacks are to run on one. Returns false if it could not be
    /// started.
    fn start_own_thread(self: &Arc<Self>) -> bool {
        if !matches!(self.settings.runner, Runner::OwnThread)
            || self.callbacks.existing_queue().is_none()
        {
            return true;
        }
        let mut thread = self.thread.lock();
        if thread.is_none() {
            *thread = worker::start_own(Arc::clone(self) as Arc<dyn Work>);
        }
        thread.is_some()
    }

    /// Notes that nobody does the work any more.
    pub(crate) fn unschedule(&self) {
        self.scheduled.store(false, Ordering::Relaxed);
    }

    /// Returns whether there is nothing left to do: no grace period is wanted, no callback waits, and nobody is to be
    /// woken. (Another thread may have ended what is awaited just now, and have left the waking to the worker.)
    fn is_over(&self) -> bool {
        !self.wants_more()
            && !self.callbacks.has_any()
            && !self.futures.is_due(self.progress.sequence.done())
    }

    pub(crate) fn wants_more(&self) -> bool {
        // Acquire: see `Sequence::is_current_process`.
        let wanted = Round::of_number(self.wanted.load(Ordering::Acquire));
        !self.progress.sequence.is_done(wanted)
    }

    /// Goes on with the grace periods that are wanted, as far as that needs no waiting. Returns whether they
    /// are done. There may be a stall to report ([`GpObserver::tell`]).
    ///
    /// # Errors
    /// If the kernel refuses the barrier.
    pub(crate) fn advance(
        &self,
        gp: &GpState,
        observer: &GpObserver<'_>,
    ) -> Result<bool, MembarrierError> {
        // Acquire: see `Sequence::is_current_process`.
        let wanted = Round::of_number(self.wanted.load(Ordering::Acquire));
        self.advance_to(gp, wanted, observer)
    }

    /// Goes on with the grace periods up to `number` in the same way.
    ///
    /// # Errors
    /// As for [`Driver::advance`].
    pub(crate) fn advance_to(
        &self,
        gp: &GpState,
        number: Round,
        observer: &GpObserver<'_>,
    ) -> Result<bool, MembarrierError> {
        gp.advance(&self.progress, number, observer, worker::parker())
    }

    /// Asks for a grace period for callbacks, if it is time. Returns when it will be.
    fn pace(&self) -> Option<Instant> {
        let paced = self
            .callbacks
            .pace(&self.progress.sequence, || self.wants_more());
        if let Some(wanted) = paced.wanted {
            self.want_quietly(wanted);
        }
        paced.due
    }

    /// Notes that a grace period is wanted, for whoever does the work next.
    fn want_quietly(&self, number: Round) {
        // Release: see `Sequence::is_current_process`.
        self.wanted.fetch_max(number.number(), Ordering::Release);
    }

    /// Returns whether callbacks have been queued, or grace periods wanted, that are not over.
    pub(crate) fn is_to_be_driven(&self) -> bool {
        self.is_current_process()
            && !self.is_closed()
            && (self.wants_more() || self.callbacks.has_unready(self.progress.sequence.done()))
    }

    /// Goes on with grace periods as far as that needs no waiting. Runs no user code, except the hook for
    /// stalls of domains that callers and executors drive. [`worker::poke`] tells the caller when there is
    /// reason to call again.
    pub(crate) fn drive(self: &Arc<Self>) -> Step {
        /// The time after which a barrier is tried again that was refused for a reason that passes.
        const AGAIN: Duration = Duration::from_millis(10);
        if !self.is_current_process() {
            return Step::Over; // Another callback forked, and this is the child.
        }
        let observer = self.passing();
        let before = self.with_gp(|gp| {
            let due = self.pace();
            let over = self.advance(gp, &observer);
            (self.progress.sequence.done(), over, due)
        });
        let Some((done, over, due)) = before else {
            // The domain has ended, so all its grace periods are over.
            return match self.futures.is_due(Round::LAST) {
                true => Step::Ready,
                false => Step::Over,
            };
        };
        if !self.is_the_workers() {
            observer.tell();
        } else if !observer.tell_elsewhere() {
            return Step::Ready;
        }
        if !self.is_current_process() {
            return Step::Over; // The hook forked.
        }
        let ready = self.callbacks.has_ready(done);
        if self.futures.is_due(done) || (ready && self.may_run()) {
            return Step::Ready;
        }
        let (waits, again) = match over {
            Ok(over) => (!over, None),
            Err(refused) if refused.is_passing() => (true, Some(AGAIN)),
            Err(refused) => return Step::Refused(refused),
        };
        let left = self.with_gp(|_| {
            if self.is_over() {
                self.callbacks.trim();
                self.unschedule();
                fence(Ordering::SeqCst);
                // A thread that came meanwhile may have found us scheduled, and left its work to us.
                if self.is_over() || self.scheduled.swap(true, Ordering::Relaxed) {
                    return Step::Over;
                }
                return Step::More;
            }
            let sequence = &self.progress.sequence;
            // Work that came meanwhile found us scheduled, so its giver unparked nobody: look for it now.
            let told = waits || ((due.is_some() || ready) && !self.wants_more());
            if !told || sequence.done() != done {
                return Step::More;
            }
            let due = due.map(|due| due.saturating_duration_since(Instant::now()));
            let stall = if waits {
                observer.leader_patience()
            } else {
                None
            };
            // Threads that run or queue callbacks do not announce each of them, so look again after a
            // moment.
            let others = ready.then_some(worker::MOMENT);
            Step::Waiting {
                patience: [due, stall, again, others].into_iter().flatten().min(),
            }
        });
        left.unwrap_or(Step::More)
    }

    /// Returns whether whoever drives is to run callbacks that are ready. Has the domain's own thread do
    /// so, if it has one.
    fn may_run(self: &Arc<Self>) -> bool {
        match self.settings.runner {
            Runner::Shared => Calling::is_free(),
            Runner::OwnThread => {
                self.start_own_thread();
                if let Some(thread) = &*self.thread.lock() {
                    thread.unpark();
                }
                false
            }
            Runner::Caller => false,
            Runner::Executor(_) | Runner::SharedExecutor(_) => true,
        }
    }

    /// Runs some of the callbacks that are ready, so that other domains get their turn. Returns how many ran.
    pub(crate) fn run_some(&self) -> usize {
        const CALLBACKS_PER_TURN: usize = 1024;
        let done = self.with_gp(|_| self.progress.sequence.done());
        // Outside of `with_gp`, because callbacks are user code.
        done.map_or(0, |done| self.callbacks.run_ready(done, CALLBACKS_PER_TURN))
    }
}
