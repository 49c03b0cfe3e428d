//! Since when a domain's grace period waits.

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
    /// When it is reported next; never, if that is too far away.
    pub(super) next: Option<Instant>,
    pub(super) reported: bool,
}

/// For a domain, the grace period that waits.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    waiting: Mutex<Option<Waiting>>,
    /// The report that whoever drives has to tell when it drives no more.
    pub(super) untold: Mutex<Option<Arc<Report>>>,
}

impl Clock {
    /// Tells what could not be told elsewhere. To be called as [`Detector::tell`](super::Detector::tell).
    pub(crate) fn tell(&self) {
        let untold = self.untold.lock().take();
        if let Some(report) = untold {
            hook::tell(&report);
        }
    }

    /// Returns how long the grace period of this number is known to wait.
    pub(super) fn age(&self, number: Round) -> Duration {
        let waiting = self.waiting.lock();
        match &*waiting {
            Some(waiting) if waiting.number == number => waiting.since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Returns the grace period of this number, the first that is not over, as of now if it was not known
    /// to wait yet.
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
