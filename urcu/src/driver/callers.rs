//! Work that callers do at once, instead of leaving it to the worker.

use core::time::Duration;
use std::sync::Arc;

use super::Driver;
use super::observer::GpObserver;
use crate::callbacks::{self, inside_callback};
use crate::gp::grace_period::GpState;
use crate::gp::sequence::Round;
use crate::sync::{catch_unwind, thread};
use crate::sys;

impl Driver {
    /// Waits until the callbacks queued before have run, and runs some of them itself.
    #[track_caller]
    pub(crate) fn barrier(self: &Arc<Self>, gp: &GpState) {
        let observer = self.blocking();
        callbacks::barrier(self, &|number| self.insist(gp, number, &observer));
    }

    /// Runs all callbacks, for a domain that is being dropped, perhaps by one of them.
    pub(crate) fn finish(self: &Arc<Self>, gp: &GpState) {
        let observer = self.passing();
        callbacks::finish(self, &gp.readers, &|number| {
            self.insist(gp, number, &observer);
        });
    }

    /// Waits for a grace period, also where the kernel refuses the barrier for a while (the thread may
    /// have inherited a filter, or memory is short): callbacks wait then, and none is lost.
    fn insist(self: &Arc<Self>, gp: &GpState, number: Round, observer: &GpObserver<'_>) {
        let mut pause = Duration::from_millis(1);
        while self.is_current_process() && !self.progress.sequence.is_done(number) {
            if let Err(refused) = self.wait_for(gp, number, observer) {
                // Caught: the panic only serves to call the panic hook with the message.
                let _ = catch_unwind(|| sys::cannot_end(refused));
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(60));
            }
        }
        self.tell(number);
    }

    /// Runs callbacks that are ready, about `limit` of them, and takes the next step towards the end of a
    /// grace period if others wait for one. Never waits for readers. Returns how many ran.
    pub(crate) fn run_callbacks(self: &Arc<Self>, gp: &GpState, limit: usize) -> usize {
        if inside_callback() {
            return 0; // One inside the other, they could use up the stack.
        }
        let sequence = &self.progress.sequence;
        let ran = self.callbacks.run_up_to(sequence.done(), limit);
        // A limit of 0 asks for the step alone.
        if (ran >= limit && limit != 0) || !self.is_current_process() {
            return ran;
        }
        if let Some(queue) = self.callbacks.existing_queue()
            && !self.wants_more()
            && self.callbacks.has_any()
        {
            self.want_quietly(queue.request(sequence));
        }
        // If the barrier is refused, the next call tries again.
        let observer = self.passing();
        let _ = self.advance(gp, &observer);
        observer.tell();
        if !self.is_current_process() {
            return ran;
        }
        self.tell(sequence.done());
        ran + self.callbacks.run_up_to(sequence.done(), limit - ran)
    }
}
