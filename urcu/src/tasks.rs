//! What a domain has to do behind its callers' backs: grace periods that somebody polls for or
//! awaits, and callbacks. On the heap, made when first needed, and known to the worker while there
//! is something to do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, PoisonError, RwLock};

use crate::callbacks::{Queue, Ran};
use crate::domain::State;
use crate::fork;
use crate::polling::Futures;
use crate::stall::{Clock, Watch};
use crate::stats::Counts;
use crate::worker;

#[derive(Debug)]
pub(crate) struct Tasks {
    name: Option<&'static str>,
    /// The process in which all this was made.
    incarnation: u64,
    /// The domain's, until the domain is dropped. Whoever uses it holds the lock (for reading), so
    /// this is what the end of a domain waits for.
    state: RwLock<Option<&'static State>>,
    /// The latest grace period that somebody wants without waiting for it.
    wanted: AtomicU64,
    /// The worker knows, or will be told by whoever set this.
    scheduled: AtomicBool,
    pub(crate) queue: Queue,
    pub(crate) futures: Futures,
    pub(crate) counts: Counts,
    pub(crate) clock: Clock,
}

/// What became of a turn of the worker's.
pub(crate) enum Turn {
    /// Nothing is left to do.
    Over,
    /// A grace period waits for readers.
    Waiting {
        patience: Option<core::time::Duration>,
    },
    /// There is more to do.
    More,
}

impl Tasks {
    /// # Safety
    /// [`Tasks::close`] is called before the state goes.
    pub(crate) unsafe fn new(state: &State, name: Option<&'static str>) -> Arc<Tasks> {
        // SAFETY: the caller's: the reference is given out under the lock alone, and taken away
        // in time.
        let state: &'static State = unsafe { &*core::ptr::from_ref(state) };
        Arc::new(Tasks {
            name,
            incarnation: fork::incarnation(),
            state: RwLock::new(Some(state)),
            wanted: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            queue: Queue::new(),
            futures: Futures::new(),
            counts: Counts::default(),
            clock: Clock::default(),
        })
    }

    /// Whether this is of the process that runs, not of one that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.incarnation == fork::incarnation()
    }

    /// For messages.
    pub(crate) fn shown(&self, state: &State) -> String {
        match self.name {
            Some(name) => format!("RCU domain \"{name}\""),
            None => format!("RCU domain at {state:p}"),
        }
    }

    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// Runs `f` while the domain cannot end; `None` if it has ended. Nothing of a user's may run
    /// inside: it might drop the domain.
    pub(crate) fn with_state<R>(&self, f: impl FnOnce(&State) -> R) -> Option<R> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.map(f)
    }

    /// The domain ends: all its sections are over.
    pub(crate) fn close(&self) {
        if !self.is_ours() {
            return; // A callback of a domain that is dropped forked: this is the child.
        }
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.futures.wake(u64::MAX);
    }

    /// Wakes those who await a grace period up to `done`. Not in a child that was forked in the
    /// middle of what the caller does: locks may be held there by threads that it does not have.
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

    /// Has the worker take a turn, if it is not about to.
    pub(crate) fn schedule(self: &Arc<Self>) {
        if !self.is_ours() {
            return; // A fork in the middle of what the caller does: this is the child.
        }
        // Pairs with the fence in `turn`: either the worker sees what there is to do, or we see
        // that it has left.
        fence(Ordering::SeqCst);
        if !self.scheduled.load(Ordering::Relaxed) && !self.scheduled.swap(true, Ordering::Relaxed)
        {
            worker::hand(Arc::clone(self));
        } else {
            // It may have been impossible to start it then.
            worker::is_there();
        }
    }

    fn is_over(&self, state: &State) -> bool {
        state
            .grace_periods
            .rounds
            .is_done(self.wanted.load(Ordering::Acquire))
            && self.queue.is_empty()
    }

    /// The worker's turn: goes on with grace periods as far as that needs no waiting, and runs
    /// callbacks that are ripe, some at a time.
    pub(crate) fn turn(&self) -> Turn {
        if !self.is_ours() {
            return Turn::Over; // Another callback forked, and this is the child.
        }
        let Some((done, waits)) = self.with_state(|state| self.advance(state)) else {
            return Turn::Over;
        };
        // Outside: it runs a user's code.
        self.wake(done);
        let ran = self.queue.run_some(done);
        if !self.is_ours() {
            return Turn::Over;
        }
        let left = self.with_state(|state| {
            if self.is_over(state) {
                self.scheduled.store(false, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                // Whoever came meanwhile may have seen us scheduled.
                if self.is_over(state) || self.scheduled.swap(true, Ordering::Relaxed) {
                    return Turn::Over;
                }
                return Turn::More;
            }
            // What came since `advance` found us scheduled, and did not poke: nobody would.
            let poked = waits || ran == Ran::Elsewhere;
            if ran == Ran::Some || !poked || state.grace_periods.rounds.done() != done {
                return Turn::More;
            }
            Turn::Waiting {
                patience: Watch::passing(state, self).patience(),
            }
        });
        left.unwrap_or(Turn::Over)
    }

    /// The grace period that is done after this, and whether a later one waits for readers or for
    /// whoever leads it; then there will be a poke.
    fn advance(&self, state: &State) -> (u64, bool) {
        let rounds = &state.grace_periods.rounds;
        let batch = self.queue.seal(|| rounds.join());
        // Acquire: see `Rounds::is_ours`.
        let target = batch.unwrap_or(0).max(self.wanted.load(Ordering::Acquire));
        let watch = Watch::passing(state, self);
        let all = state.grace_periods.advance(target, &watch);
        (rounds.done(), !all)
    }
}
