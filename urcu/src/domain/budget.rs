//! The budget of a domain.

use super::domain::Domain;
use crate::settings::{Budget, SharedBudget};

impl Domain {
    /// Sets how much may wait for grace periods: see [`Budget`]. The environment variable `URCU_BUDGET`
    /// then does not apply to this domain. [`Domain::set_budget`] changes the budget at run time.
    ///
    /// ```
    /// use urcu::{Budget, Domain};
    /// static SMALL: Domain = Domain::named("small").with_budget(Budget::new(10_000, 1 << 20));
    /// ```
    #[must_use]
    pub const fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = SharedBudget::new(budget);
        self
    }

    /// Returns the budget that was set for this domain.
    pub(crate) const fn chosen_budget(&self) -> &SharedBudget {
        &self.budget
    }

    /// Sets the domain's [`Budget`], at any time and for any domain, the [`global`](crate::global) one
    /// too. It applies at once to threads that are waiting for room. A forked child inherits it.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// use urcu::Budget;
    ///
    /// urcu::global().set_budget(Budget::new(100_000, 64 << 20));
    /// assert_eq!(urcu::global().budget().count, 100_000);
    /// ```
    pub fn set_budget(&self, budget: Budget) {
        // There is one driver in a process, so of two concurrent callers the same one comes last in both places.
        let (_, driver) = self.driver();
        driver.callbacks.limits.set(self.chosen_budget(), budget);
    }

    /// Returns the budget in force: the one that the program has set last, or that of the environment variable
    /// `URCU_BUDGET`, or [`Budget::DEFAULT`].
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn budget(&self) -> Budget {
        self.chosen_budget().in_force()
    }
}
