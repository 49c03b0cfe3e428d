//! In the place of `urcu/src/stall.rs`: without clocks and reports.

use core::cell::Cell;
use core::time::Duration;

use crate::domain::State;
use crate::machine;
use crate::tasks::Tasks;

/// Nothing is reported.
#[derive(Debug, Default)]
pub(crate) struct Clock {}

/// What a caller that waits for a grace period does besides. The time is over whenever a model says
/// so.
pub(crate) struct Watch<'a> {
    context: Option<(&'a State, &'a Tasks)>,
    /// How many sleeps have a time limit, which is over at once.
    limits: Cell<u32>,
    /// Whether a follower that has slept has waited too long, and panics.
    deadlocked: bool,
    slept: Cell<bool>,
    barriers: Cell<u32>,
}

impl<'a> Watch<'a> {
    pub(crate) fn none() -> Self {
        Watch {
            context: None,
            limits: Cell::new(0),
            deadlocked: false,
            slept: Cell::new(false),
            barriers: Cell::new(0),
        }
    }

    /// As shipped.
    pub(crate) fn blocking(state: &'a State, tasks: &'a Tasks) -> Self {
        Watch {
            context: Some((state, tasks)),
            ..Watch::none()
        }
    }

    /// As shipped.
    pub(crate) fn passing(state: &'a State, tasks: &'a Tasks) -> Self {
        Watch::blocking(state, tasks)
    }

    /// For a caller whose first sleeps have a time limit.
    pub(crate) fn with_limits(limits: u32) -> Self {
        Watch {
            limits: Cell::new(limits),
            ..Watch::none()
        }
    }

    /// For a caller whose sleeps have a time limit, and which finds then that it waits for itself.
    pub(crate) fn gives_up() -> Self {
        Watch {
            deadlocked: true,
            ..Watch::with_limits(u32::MAX)
        }
    }

    /// For a caller that finds, when it has slept, that it waits for itself.
    pub(crate) fn deadlocked() -> Self {
        Watch {
            deadlocked: true,
            ..Watch::none()
        }
    }

    /// As shipped.
    pub(crate) fn ends(&self, old: usize) {
        if let Some((state, tasks)) = self.context {
            tasks.collect(state, old);
        }
    }

    pub(crate) fn restarted(&self, issued: bool) {
        self.barriers.set(self.barriers.get() + u32::from(issued));
    }

    /// How many barriers were issued for this caller.
    pub(crate) fn barriers(&self) -> u32 {
        self.barriers.get()
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.slept.set(true);
        let limits = self.limits.get();
        self.limits.set(limits.saturating_sub(1));
        (limits > 0).then_some(Duration::ZERO)
    }

    pub(crate) fn patience_of_a_follower(&self) -> Option<Duration> {
        self.patience()
    }

    pub(crate) fn gave_up(&self) -> bool {
        false
    }

    pub(crate) fn follow(&self) {
        if self.deadlocked && self.slept.take() {
            machine::panic_on_purpose();
        }
    }

    pub(crate) fn look(&self, open: impl Fn(usize) -> i64) {
        self.follow();
        for slot in 0..machine::slots() {
            open(slot);
        }
    }
}

/// There is no hook.
pub(crate) fn assert_outside_hook(_: &State) {}
