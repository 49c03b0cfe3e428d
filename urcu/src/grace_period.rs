//! The grace period: flip, restart, drain.
//!
//! [`GracePeriods::begin`], `drain` and `end` are the whole algorithm, and the one place where a
//! domain's counters change period. The letters are those of `readers` and `rounds`.
//!
//! Every other per-CPU RCU (SRCU in the Linux kernel, the liburcu per-CPU prototype of 2016-17,
//! libside) needs two flips, because a reader may load the period, stall, and count itself late in
//! the old one. Here loading and counting are one restartable sequence, and the barrier after the
//! flip restarts every sequence in flight: one flip and one system call are enough.
//!
//! Grace periods are rounds: callers share them, and one of those who wait leads. A leader may
//! leave one that has begun but waits for readers; the next leader goes on with it.

use crate::machine::{self, AtomicUsize, Ordering, Watch};
use crate::readers::Readers;
use crate::rounds::{Lead, Rounds};

/// Set in [`GracePeriods::old`] until the restart is done. Counters are aligned to 8 bytes.
const RESTART_DUE: usize = 1;

/// A domain's readers and its grace periods, two cache lines. Zero is the state at rest before
/// `Readers::set_up`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct GracePeriods {
    pub(crate) readers: Readers,
    pub(crate) rounds: Rounds,
    /// The period that was flipped away from and may have open sections still, of a grace period
    /// that has begun; else 0. The leader's.
    old: AtomicUsize,
}

impl GracePeriods {
    machine::const_fn! {
        pub(crate) fn new() -> Self {
            GracePeriods {
                readers: Readers::new(),
                rounds: Rounds::new(),
                old: AtomicUsize::new(0),
            }
        }
    }

    /// Waits for a grace period that [`Rounds::join`] named: until every section that was open at
    /// that time has ended. What the caller did before it joined is visible to every section that
    /// begins after this. The readers are set up.
    pub(crate) fn wait(&self, round: u64, watch: &Watch<'_>) {
        self.rounds.wait(round, watch, |lead| {
            let old = self.begin(lead, watch);
            self.drain(old, watch);
            self.end(lead, old);
        });
    }

    /// Goes on with the grace periods up to `round` as far as that needs no waiting. False if the
    /// round is not done yet; then the worker is poked when there is reason to try again.
    pub(crate) fn advance(&self, round: u64, watch: &Watch<'_>) -> bool {
        while !self.rounds.is_done(round) {
            let Some(lead) = self.rounds.try_lead() else {
                if self.rounds.watch() {
                    return false;
                }
                continue;
            };
            if self.rounds.is_done(round) {
                break;
            }
            let old = self.begin(&lead, watch);
            if self.readers.any_open(old) && self.readers.poke_worker_while_open(old) {
                watch.look(|slot| self.readers.open_in(old, slot));
                lead.leave();
                // After O. If an end has taken our mark while we led, whoever it poked may have
                // found us leading, and gone to sleep again.
                if self.readers.will_poke_worker() {
                    return false;
                }
                continue;
            }
            self.end(&lead, old);
        }
        true
    }

    /// The period to be drained: of a grace period that was left in the middle, else of a new one.
    fn begin(&self, lead: &Lead<'_>, watch: &Watch<'_>) -> usize {
        let mut old = self.old.load(Ordering::Relaxed);
        if old == 0 {
            // Who joined before this is served by this flip: see J, K.
            lead.begin();
            // The other period is empty: the grace period before this one drained it.
            old = self.readers.flip() | RESTART_DUE;
            self.old.store(old, Ordering::Relaxed);
        }
        if old & RESTART_DUE != 0 {
            // C: a sequence that saw the old period has committed, visibly to the sums below, or
            // starts over and sees the new one. Ends compare the period, so from here on the ends
            // of old sections look at `waiter`. Snapshot reads that saw an old pointer start over
            // too. This panics if the kernel refuses; then the next leader tries.
            watch.restarted(machine::restart_sequences());
            old &= !RESTART_DUE;
            self.old.store(old, Ordering::Relaxed);
        }
        old
    }

    fn drain(&self, old: usize, watch: &Watch<'_>) {
        for _ in 0..machine::SPINS.div_ceil(machine::slots() as u32) {
            if !self.readers.any_open(old) {
                return;
            }
            machine::spin();
        }
        while self.readers.any_open(old) {
            self.readers.sleep_while_open(old, watch.patience());
            watch.look(|slot| self.readers.open_in(old, slot));
        }
    }

    /// The old period is drained.
    fn end(&self, lead: &Lead<'_>, old: usize) {
        self.readers.settle(old);
        self.old.store(0, Ordering::Relaxed);
        lead.finish();
    }
}
