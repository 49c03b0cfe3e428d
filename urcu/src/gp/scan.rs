//! The writer's side of the counters: summing them, sleeping while sections are open, and settling them.
//!
//! One thread at a time calls these: the leader of a grace period. The letters are those of [`gp`](super).

use core::time::Duration;

use super::readers::{LEADER, PARKER, Readers};
use crate::sync::{Ordering, fence, futex_wait};
use crate::sys::{self, Phase};

impl Readers {
    /// Returns whether any section of the phase may be open. The answer is exact only after a restart that
    /// follows the flip.
    pub(crate) fn any_open(&self, old: Phase) -> bool {
        let doubled = &self.doubled[usize::from(old.is_second())];
        // Q
        let before = doubled.load(Ordering::Acquire);
        let open: i64 = (0..sys::slots()).map(|slot| self.open_in(old, slot)).sum();
        // Relaxed: the loads of the scan come before it, by E. If a section was doubled meanwhile, the sum
        // says nothing. But then one was open, whose end comes after F, and so wakes (G).
        open != 0 || doubled.load(Ordering::Relaxed) != before
    }

    /// Returns how many more sections began than ended on the counters of one slot. The sum over all
    /// slots is the number of open sections; the number of one slot may be negative.
    pub(crate) fn open_in(&self, old: Phase, slot: usize) -> i64 {
        // E
        sys::net(old, slot).load(Ordering::Acquire) + sys::shared(old, slot).load(Ordering::Acquire)
    }

    /// Returns about how many more sections of both phases began than ended on the counters of one slot.
    pub(crate) fn about_open_in(&self, slot: usize) -> i64 {
        self.current().map_or(0, |phase| {
            self.open_in(phase, slot) + self.open_in(phase.other(), slot)
        })
    }

    /// Sleeps until a section of the phase ends, if any is open, or the time is over.
    pub(crate) fn sleep_while_open(&self, old: Phase, most: Option<Duration>) {
        if self.mark_while_open(old, LEADER) {
            let waiter = sys::waiter(old);
            futex_wait(waiter, LEADER, most);
            waiter.store(0, Ordering::Relaxed);
        }
    }

    /// Makes the next end of a section of the phase unpark the parker, if any is open.
    pub(crate) fn unpark_while_open(&self, old: Phase) -> bool {
        self.mark_while_open(old, PARKER)
    }

    /// Returns whether the mark of [`Readers::unpark_while_open`] still stands.
    pub(crate) fn will_unpark(&self, old: Phase) -> bool {
        sys::waiter(old).load(Ordering::Relaxed) == PARKER
    }

    fn mark_while_open(&self, old: Phase, who: u32) -> bool {
        let waiter = sys::waiter(old);
        waiter.store(who, Ordering::Relaxed);
        // F: pairs with G.
        fence(Ordering::SeqCst);
        let open = self.any_open(old);
        if !open {
            waiter.store(0, Ordering::Relaxed);
        }
        open
    }

    /// Returns whether a section of either phase is open. Exact if no other thread uses the domain.
    #[cfg_attr(
        not(any(debug_assertions, feature = "stall-trace")),
        allow(dead_code, reason = "only builds that note sections ask")
    )]
    pub(crate) fn any_left(&self) -> bool {
        self.current()
            .is_some_and(|phase| self.any_open(phase) || self.any_open(phase.other()))
    }

    /// Moves what sequences left in the counters of a phase without open sections to one shared
    /// counter. Sections that began on one CPU and ended on another leave +1 here and -1 there;
    /// the sum stays right, but sequences are fastest on counters that return to 0.
    ///
    /// Nobody else writes these words now: no section of this phase is open, and none begins
    /// until the next flip (A), which publishes the stores.
    pub(crate) fn settle(&self, old: Phase) {
        let mut left = 0;
        for slot in 0..sys::slots() {
            let counter = sys::net(old, slot);
            let value = counter.load(Ordering::Relaxed);
            if value != 0 {
                left += value;
                counter.store(0, Ordering::Relaxed);
            }
        }
        if left != 0 {
            sys::shared(old, 0).fetch_add(left, Ordering::Relaxed);
        }
    }
}
