//! The two faces of a driver: `Work` for the worker and executors, `Host` for the callbacks.

use std::sync::Arc;

use super::Driver;
use super::job::Runner;
use super::work::{Step, Work};
use crate::callbacks::{Callbacks, Host};
use crate::gp::grace_period::GpState;
use crate::gp::sequence::Sequence;
use crate::settings::Budget;
use crate::stall::report_held_up;

impl Work for Driver {
    fn name(&self) -> Option<&'static str> {
        self.settings.name
    }

    fn is_current_process(&self) -> bool {
        Driver::is_current_process(self)
    }

    fn is_closed(&self) -> bool {
        Driver::is_closed(self)
    }

    fn is_to_be_driven(&self) -> bool {
        Driver::is_to_be_driven(self)
    }

    fn drive(self: Arc<Self>) -> Step {
        Driver::drive(&self)
    }

    fn drive_and_run(self: Arc<Self>) -> Step {
        let step = Driver::drive(&self);
        if let Step::Ready = step {
            // Meanwhile those who await a grace period drive it: a callback might wait for them.
            Driver::end_driving(&self);
            Driver::wake_ready(&self);
            Driver::run_some(&self);
            Driver::begin_driving(&self);
            if !Driver::is_current_process(&self) {
                return Step::Over;
            }
        }
        step
    }

    fn wake_ready(&self) {
        Driver::wake_ready(self);
    }

    fn wake_all(&self) {
        Driver::wake_all(self);
    }

    fn run_some(&self) -> usize {
        Driver::run_some(self)
    }

    fn is_shared(&self) -> bool {
        matches!(self.settings.runner, Runner::Shared)
    }

    fn report(&self) {
        Driver::report(self);
    }

    fn begin_driving(&self) {
        Driver::begin_driving(self);
    }

    fn end_driving(&self) {
        Driver::end_driving(self);
    }

    fn unschedule(&self) {
        Driver::unschedule(self);
    }
}

impl Host for Arc<Driver> {
    fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    fn sequence(&self) -> &Sequence {
        &self.progress.sequence
    }

    fn schedule(&self) {
        Driver::schedule(self);
    }

    fn attend(&self) -> bool {
        Driver::attend(self)
    }

    fn shares_work(&self) -> bool {
        Work::is_shared(&**self)
    }

    fn begin_grace_period(&self, gp: &GpState) {
        let number = self.progress.sequence.snap();
        // The worker makes the reports, because the hook is user code. It also reports refused barriers, or
        // a caller of `synchronize` does.
        let advanced = self.advance_to(gp, number, &self.quiet());
        if advanced.is_err() {
            Driver::schedule(self);
        }
        self.tell_worker(self.progress.sequence.done());
    }

    fn report_held_up(&self, gp: &GpState, budget: Budget, pending: (u64, u64)) {
        report_held_up(&self.subject(), &gp.readers, budget, pending);
    }
}
