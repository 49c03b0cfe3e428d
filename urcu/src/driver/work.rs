//! What the worker knows of a domain.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::sys::MembarrierError;

/// The next step of whoever drives.
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

/// A domain's work: what drives it, and runs what is ready, needs to know no more of it.
pub(crate) trait Work: Send + Sync + fmt::Debug {
    /// Returns the domain's name, if it has one.
    fn name(&self) -> Option<&'static str>;

    /// Returns whether this is of the process that runs, not of one that it was forked from.
    fn is_current_process(&self) -> bool;

    /// Returns whether the domain has ended.
    fn is_closed(&self) -> bool;

    /// Returns whether grace periods are wanted, or callbacks have been queued, that are not over.
    fn is_to_be_driven(&self) -> bool;

    /// Goes on with grace periods as far as that needs no waiting. No user's code runs here, but for the
    /// hook for stalls of domains that callers and executors drive. Whoever calls this is unparked when
    /// there is reason to come again.
    fn drive(self: Arc<Self>) -> Step;

    /// The same, and runs what is ready, for an executor.
    fn drive_and_run(self: Arc<Self>) -> Step;

    /// Wakes those whose grace period is over.
    fn wake_ready(&self);

    /// Wakes all who await a grace period: from now on they drive it.
    fn wake_all(&self);

    /// Runs callbacks that are ready, about a thousand at most, so that other domains get their turn.
    /// Returns how many ran.
    fn run_some(&self) -> usize;

    /// Returns whether its callbacks are run by the worker's own threads.
    fn is_shared(&self) -> bool;

    /// Reports what whoever drives could not have reported elsewhere.
    fn report(&self);

    /// One more thread drives this.
    fn begin_driving(&self);

    /// One less.
    fn end_driving(&self);

    /// Nobody does the work any more.
    fn unschedule(&self);
}
