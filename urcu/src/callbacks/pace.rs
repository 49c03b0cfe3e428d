//! The time to begin a grace period for callbacks.
//!
//! A grace period interrupts all CPUs that run this process. So one grace period serves thousands of
//! callbacks, or a megabyte of memory, or all that came within a millisecond.

use core::time::Duration;

use super::host::Host;
use super::of_domain::Callbacks;
use crate::gp::grace_period::GpState;
use crate::gp::sequence::{Round, Sequence};
use crate::sync::Instant;
use crate::sys;

/// Returns the callbacks, and the bytes, that make a grace period worth its while before its time has come.
///
/// Twice to three times as many wait at one time, and their records and objects are best still in a cache
/// when they are freed; so where a grace period interrupts few CPUs, fewer callbacks are worth one.
fn gp_threshold() -> (usize, u64) {
    ((1024 * sys::slots()).clamp(4096, 8192), 1 << 20)
}

/// The time for which callbacks wait for others, so that one grace period serves them all.
pub(super) const COALESCE_WINDOW: Duration = Duration::from_millis(1);

/// The number of callbacks in that time above which threads that retire do most of the work.
const HEAVY: u64 = 2000;

/// The need of callbacks for a grace period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paced {
    /// The time to look again; `None`: nothing waits.
    pub(crate) due: Option<Instant>,
    /// The grace period that is wanted now.
    pub(crate) wanted: Option<Round>,
}

impl Callbacks {
    /// Tells the worker whether it is time for a grace period. `wants_more` says whether
    /// one that was wanted before is not over.
    pub(crate) fn pace(&self, sequence: &Sequence, wants_more: impl Fn() -> bool) -> Paced {
        let nothing = Paced {
            due: None,
            wanted: None,
        };
        let Some(queue) = self.existing_queue() else {
            return nothing;
        };
        let mut pace = self.pace.lock();
        if !self.has_unready(sequence.done()) {
            (pace.due, pace.heavy) = (None, false);
            return nothing;
        }
        let now = Instant::now();
        let due = *pace.due.get_or_insert_with(|| now + COALESCE_WINDOW);
        if now < due {
            return Paced {
                due: Some(due),
                wanted: None,
            };
        }
        if wants_more() {
            // The grace period waits for a reader. Until the next one can begin, chunks may as well fill
            // up.
            pace.due = Some(now + COALESCE_WINDOW);
            return Paced {
                due: pace.due,
                wanted: None,
            };
        }
        let sealed = queue.totals().0;
        pace.heavy = sealed - pace.sealed >= HEAVY;
        pace.sealed = sealed;
        pace.ready = sequence.done();
        pace.due = Some(now + COALESCE_WINDOW);
        Paced {
            due: pace.due,
            wanted: Some(queue.request(sequence)),
        }
    }
}

/// Begins a grace period if there is enough for one, for a thread that helps: it may wake those who await
/// it, and find a stall. (For others the worker begins one, within a [`COALESCE_WINDOW`].)
pub(super) fn begin_grace_period_if_due(host: &dyn Host, gp: &GpState) {
    let (mut count, mut bytes) = gp_threshold();
    if host.callbacks().is_a_quarter_used() {
        (count, bytes) = (1, 1);
    }
    if host.callbacks().queue().take_fresh(count, bytes) {
        host.begin_grace_period(gp);
    }
}
