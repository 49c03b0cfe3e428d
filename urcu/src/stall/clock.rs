//! The time since which a domain's grace period has been waiting.

use core::time::Duration;
use std::sync::Arc;

use super::hook::{self, timeout};
use super::report::Report;
use crate::gp::sequence::Round;
use crate::sync::{Instant, Mutex};

/// A grace period that has waited long enough to look at the clock.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) number: Round,
    pub(super) since: Instant,
    /// The time of the next report; none if that is too far away.
    pub(super) next: Option<Instant>,
    pub(super) reported: bool,
}

/// A domain's clock: the grace period that waits, and since when.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    waiting: Mutex<Option<Waiting>>,
    /// A report that whoever drives makes once it no longer drives.
    pub(super) untold: Mutex<Option<Arc<Report>>>,
}

impl Clock {
    /// Makes the report that could be made nowhere else. The caller must hold nothing, as for
    /// [`Detector::tell`](super::Detector::tell).
    pub(crate) fn tell(&self) {
        let untold = self.untold.lock().take();
        if let Some(report) = untold {
            hook::tell(&report);
        }
    }

    /// Returns how long the grace period of this number is known to have been waiting.
    pub(super) fn age(&self, number: Round) -> Duration {
        let waiting = self.waiting.lock();
        match &*waiting {
            Some(waiting) if waiting.number == number => waiting.since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Runs `f` with the record of the grace period of this number, the first that is not over. If it was
    /// not known to wait, the record begins now.
    pub(super) fn with<R>(&self, number: Round, f: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = self.waiting.lock();
        let waiting = match &mut *waiting {
            Some(waiting) if waiting.number == number => waiting,
            other => {
                let since = Instant::now();
                other.insert(Waiting {
                    number,
                    since,
                    next: since.checked_add(timeout()),
                    reported: false,
                })
            }
        };
        f(waiting)
    }
}
