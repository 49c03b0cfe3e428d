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
    /// The period that was flipped away from and may have open sections still: that of the grace
    /// period that runs, or of one that was cut short by a panic.
    undrained: Mutex<Option<usize>>,
}

impl GracePeriods {
    machine::const_fn! {
        pub(crate) fn new() -> Self {
            GracePeriods { readers: Readers::new(), undrained: Mutex::new(None) }
        }
    }

    /// Waits until every section that is open now has ended, and makes the caller's earlier stores
    /// visible to every section that begins later. The readers are set up.
    pub(crate) fn synchronize(&self) {
        // Poisoned by a restart that was refused. What it protects says what is left to do.
        let mut undrained = self
            .undrained
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(old) = *undrained {
            self.finish(old);
        }
        // The other period is empty: the grace period before this one drained it.
        let old = self.readers.flip();
        *undrained = Some(old);
        self.finish(old);
        *undrained = None;
    }

    /// What follows a flip away from `old`.
    fn finish(&self, old: usize) {
        // C: a sequence that saw the old period has committed, visibly to the sums below, or
        // starts over and sees the new one. Ends compare the period, so from here on the ends of
        // old sections look at `waiter`. Snapshot reads that saw an old pointer start over too.
        machine::restart_sequences();
        self.drain(old);
        self.readers.settle(old);
    }

    fn drain(&self, old: usize) {
        for _ in 0..machine::SPINS.div_ceil(machine::slots() as u32) {
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
