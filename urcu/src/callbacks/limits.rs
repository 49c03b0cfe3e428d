//! A domain's budget in force.

use crate::settings::{Budget, SharedBudget};
use crate::stall;
use crate::sync::{Instant, Mutex};

/// The budget in force for a domain's callbacks, and the time of the last report that it was exceeded.
#[derive(Debug)]
pub(crate) struct Limits {
    budget: SharedBudget,
    /// The time of the last report. The lock is held while the budget is changed.
    reported: Mutex<Option<Instant>>,
}

impl Limits {
    /// Takes the budget that was chosen for the domain, else the default.
    pub(crate) fn new(chosen: &SharedBudget) -> Self {
        Limits {
            budget: SharedBudget::new(chosen.in_force()),
            reported: Mutex::default(),
        }
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget.in_force()
    }

    /// Sets another budget, for the domain (and thus its forked children) and for its callbacks.
    pub(crate) fn set(&self, chosen: &SharedBudget, budget: Budget) {
        let mut reported = self.reported.lock();
        chosen.set(budget);
        self.budget.set(budget);
        // The budget is new, so the first wait for it is reported at once.
        *reported = None;
    }

    /// Takes the right to report that the budget is exceeded. Returns false if there was a report a while
    /// ago.
    pub(super) fn take_report(&self) -> bool {
        let mut reported = self.reported.lock();
        let due = reported.is_none_or(|last| last.elapsed() >= stall::timeout());
        if due {
            *reported = Some(Instant::now());
        }
        due
    }
}
