//! Waking those who wait for a driver's grace periods.

use super::Driver;
use crate::gp::sequence::Round;

impl Driver {
    /// Wakes those whose grace period is over.
    pub(crate) fn wake_ready(&self) {
        let done = self.with_gp(|_| self.progress.sequence.done());
        if self.is_current_process() {
            self.futures.wake(done.unwrap_or(Round::LAST));
        }
    }

    /// Makes the report that could be made nowhere else, for whoever has driven.
    pub(crate) fn report(&self) {
        if self.is_current_process() {
            self.clock.tell();
        }
    }

    /// Wakes all who await a grace period: from now on they drive it.
    pub(crate) fn wake_all(&self) {
        if self.is_current_process() {
            self.futures.wake(Round::LAST);
        }
    }
}
