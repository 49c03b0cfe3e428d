//! Whom a driver wakes.

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

    /// Reports what whoever drives could not have reported elsewhere.
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
