//! The driver of a domain, as its callbacks see it.

use super::of_domain::Callbacks;
use crate::gp::grace_period::GpState;
use crate::gp::sequence::Sequence;
use crate::settings::Budget;

/// The driver of a domain's grace periods, which owns its callbacks.
pub(crate) trait Host {
    /// Returns the callbacks.
    fn callbacks(&self) -> &Callbacks;

    /// Returns the domain's grace periods.
    fn sequence(&self) -> &Sequence;

    /// Makes the worker, or whoever does this domain's work, go on with it soon.
    fn schedule(&self);

    /// Starts the threads that run callbacks, if the domain's runner has any. Returns whether callbacks will
    /// run without another call.
    fn attend(&self) -> bool;

    /// Returns whether threads that retire values drop some of those that were retired before.
    fn shares_work(&self) -> bool;

    /// Begins the next grace period, or goes on with it, as far as that needs no waiting. Runs no user code.
    fn begin_grace_period(&self, gp: &GpState);

    /// Reports that the calling thread is about to wait for room in the budget.
    fn report_held_up(&self, gp: &GpState, budget: Budget, pending: (u64, u64));
}
