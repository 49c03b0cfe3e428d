//! The core's view of those who follow its grace periods: what it tells them, and what it asks.
//!
//! Statistics, reports of stalls and the sealing of chunks implement this trait: the core knows none of
//! them.

use core::time::Duration;

use crate::sys::Phase;

/// Follows one caller's wait for a grace period, or its step towards the end of one.
pub(crate) trait Observer {
    /// Notes that the sequences were restarted for a grace period. `issued`: by a barrier of this caller's.
    fn restarted(&self, issued: bool);

    /// Called when a grace period is about to end, whose phase was `old`. No section of that phase is open,
    /// and none begins before this has returned; nobody who waits has been released.
    fn before_end(&self, old: Phase);

    /// Returns how long a leader may sleep before it calls [`Observer::check_stall`]; `None`: as long as
    /// it likes.
    fn leader_patience(&self) -> Option<Duration>;

    /// Returns how long a follower may sleep before it asks [`Observer::is_deadlock_due`].
    fn follower_patience(&self) -> Option<Duration>;

    /// Returns whether it is time to report that the calling thread may be waiting for itself.
    fn is_deadlock_due(&self) -> bool;

    /// Looks at the time, for a caller that waits, and notes a report if one is due. `open` counts the open
    /// sections by slot. Returns whether there is a report: then the caller releases whatever it holds, and
    /// has it made.
    fn check_stall(&self, open: &dyn Fn(usize) -> i64) -> bool;
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unobserved;

impl Observer for Unobserved {
    fn restarted(&self, _: bool) {}

    fn before_end(&self, _: Phase) {}

    fn leader_patience(&self) -> Option<Duration> {
        None
    }

    fn follower_patience(&self) -> Option<Duration> {
        None
    }

    fn is_deadlock_due(&self) -> bool {
        false
    }

    fn check_stall(&self, _: &dyn Fn(usize) -> i64) -> bool {
        false
    }
}
