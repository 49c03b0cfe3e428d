//! The grace period: flip, restart, drain.
//!
//! [`GracePeriods::synchronize`] is the whole algorithm, and the one place where a domain's
//! counters change period. The letters are those of `readers`.
//!
//! Every other per-CPU RCU (SRCU in the Linux kernel, the liburcu per-CPU prototype of 2016-17,
//! libside) needs two flips, because a reader may load the period, stall, and count itself late in
//! the old one. Here loading and counting are one restartable sequence, and the barrier after the
//! flip restarts every sequence in flight: one flip and one system call are enough.

use crate::machine::{self, Mutex};
use crate::readers::Readers;

/// A domain's readers, and the lock that makes its grace periods follow one another.
#[derive(Debug)]
pub(crate) struct GracePeriods {
    pub(crate) readers: Readers,
    one_at_a_time: Mutex<()>,
}

impl GracePeriods {
    machine::const_fn! {
        pub(crate) fn new() -> Self {
            GracePeriods { readers: Readers::new(), one_at_a_time: Mutex::new(()) }
        }
    }

    /// Waits until every section that is open now has ended, and makes the caller's earlier stores
    /// visible to every section that begins later. The readers are set up.
    pub(crate) fn synchronize(&self) {
        // A poisoned lock protects nothing: the refusal that panicked is met again below.
        let _turn = self
            .one_at_a_time
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // The other period is empty: the grace period before this one drained it.
        let old = self.readers.flip();
        // C: a sequence that saw the old period has committed, visibly to the sums below, or
        // starts over and sees the new one. Ends compare the period, so from here on the ends of
        // old sections look at `waiter`. Snapshot reads that saw an old pointer start over too.
        machine::restart_sequences();
        self.drain(old);
        self.readers.settle(old);
    }

    fn drain(&self, old: usize) {
        for _ in 0..machine::SPINS {
            if !self.readers.any_open(old) {
                return;
            }
            machine::spin();
        }
        while self.readers.any_open(old) {
            self.readers.sleep_while_open(old);
        }
    }
}
