//! What callbacks need of whoever drives their domain.

use super::of_domain::Callbacks;
use crate::gp::grace_period::GpState;
use crate::gp::sequence::Sequence;
use crate::settings::Budget;

/// Whoever drives a domain's grace periods, and has its callbacks.
pub(crate) trait Host {
    /// The callbacks.
    fn callbacks(&self) -> &Callbacks;

    /// The domain's grace periods.
    fn sequence(&self) -> &Sequence;

    /// Has the work gone on with, before long.
    fn schedule(&self);

    /// Starts the threads that run callbacks, where there are to be any. Returns whether callbacks will be
    /// run by somebody.
    fn attend(&self) -> bool;

    /// Whether threads that retire values drop some of those that were retired before.
    fn shares_work(&self) -> bool;

    /// Begins the next grace period, or goes on with it, as far as that needs no waiting. Runs nobody's
    /// code.
    fn begin_grace_period(&self, gp: &GpState);

    /// Reports that the calling thread is about to wait for room in the budget.
    fn report_held_up(&self, gp: &GpState, budget: Budget, pending: (u64, u64));
}
