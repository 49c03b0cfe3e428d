//! The observer of a domain's grace periods: statistics, reports, and the callbacks' chunks.

use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;

use crate::callbacks::Callbacks;
use crate::gp::observer::Observer;
use crate::gp::sequence::Sequence;
use crate::stall::Detector;
use crate::stats::Counts;
use crate::sys::Phase;

/// Follows one caller's wait for a grace period of a domain, or its step towards the end of one.
pub(crate) struct GpObserver<'a> {
    pub(super) callbacks: &'a Callbacks,
    pub(super) sequence: &'a Sequence,
    pub(super) counts: &'a Counts,
    pub(super) detector: Detector<'a>,
}

impl GpObserver<'_> {
    /// Makes the report, if there is one: see [`Detector::tell`].
    pub(crate) fn tell(&self) {
        self.detector.tell();
    }

    /// Makes the report on another thread: see [`Detector::tell_elsewhere`].
    pub(crate) fn tell_elsewhere(&self) -> bool {
        self.detector.tell_elsewhere()
    }
}

impl Observer for GpObserver<'_> {
    fn restarted(&self, issued: bool) {
        if issued {
            self.counts.membarriers.fetch_add(1, Relaxed);
        }
    }

    fn before_end(&self, old: Phase) {
        // Not in a child that was forked in the middle of the caller's work: the callbacks that wait are
        // its parent's.
        if self.callbacks.is_current_process() {
            self.callbacks.seal_slots(self.sequence, old);
        }
    }

    fn leader_patience(&self) -> Option<Duration> {
        self.detector.leader_patience()
    }

    fn follower_patience(&self) -> Option<Duration> {
        self.detector.follower_patience()
    }

    fn is_deadlock_due(&self) -> bool {
        self.detector.is_deadlock_due()
    }

    fn check_stall(&self, open: &dyn Fn(usize) -> i64) -> bool {
        self.detector.check_stall(open)
    }
}
