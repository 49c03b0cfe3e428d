//! The domain's work, as the worker sees it.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::sys::MembarrierError;

/// The next step of whoever drives.
pub(crate) enum Step {
    /// Nothing is left.
    Over,
    /// User code is to be run.
    Ready,
    /// The kernel refuses the barrier. The worker reports that by a panic and tries again later.
    Refused(MembarrierError),
    /// A grace period waits for readers, or callbacks for whoever runs them.
    Waiting { patience: Option<Duration> },
    /// There is more to do.
    More,
}

/// A domain's work: all that those who drive it and run its callbacks need to know.
pub(crate) trait Work: Send + Sync + fmt::Debug {
    /// Returns the domain's name, if it has one.
    fn name(&self) -> Option<&'static str>;

    /// Returns whether this belongs to the running process, and not to one that it was forked from.
    fn is_current_process(&self) -> bool;

    /// Returns whether the domain has ended.
    fn is_closed(&self) -> bool;

    /// Returns whether grace periods are wanted, or callbacks have been queued, that are not over.
    fn is_to_be_driven(&self) -> bool;

    /// Goes on with grace periods as far as that needs no waiting. Runs no user code, except the hook for
    /// stalls of domains that callers and executors drive. The caller is unparked when there is reason to
    /// call again.
    fn drive(self: Arc<Self>) -> Step;

    /// Drives, and runs the callbacks that are ready, for an executor.
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

    /// Makes the report that could be made nowhere else, for whoever has driven.
    fn report(&self);

    /// Counts one more thread that drives this.
    fn begin_driving(&self);

    /// Counts one thread less.
    fn end_driving(&self);

    /// Notes that nobody does the work any more.
    fn unschedule(&self);
}
