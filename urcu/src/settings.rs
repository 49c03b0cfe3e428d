//! How much may wait for grace periods, as the program or the environment sets it.

use core::sync::atomic::Ordering::Relaxed;
// Counts for budgets order nothing: the models leave them out.
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use core::time::Duration;

use crate::sys;

/// The bound on what may wait for grace periods in one domain, and the time for which threads wait when that
/// is exceeded.
///
/// | used | what happens |
/// |---|---|
/// | a quarter | threads that retire values begin grace periods at once |
/// | seven eighths | a thread that retires a value or queues a callback waits for room, at most for the [`patience`](#structfield.patience) |
/// | still no room after that | the value or callback is queued all the same, and counted in [`Stats::callbacks_excess`](crate::Stats::callbacks_excess) |
///
/// It is queued all the same because a section of the same thread may be what keeps the budget full, and
/// that section can only end if the thread goes on. [`Domain::try_call`](crate::Domain::try_call) does not wait, and refuses
/// instead. What is queued or retired inside callbacks does not wait either.
///
/// The first wait in a domain is reported at once, and later ones at most once per
/// [`stall::timeout`](crate::stall::timeout), through the [hook](crate::stall::set_hook) for stalls. The
/// report says what is pending, how many sections are open and, with the feature `stall-trace` or debug
/// assertions, where they began.
///
/// ```
/// use std::time::Duration;
/// use urcu::{Budget, Domain};
///
/// static CACHE: Domain = Domain::named("cache").with_budget(Budget::new(100_000, 64 << 20));
///
/// // Later, at run time:
/// CACHE.set_budget(Budget::new(10_000, 8 << 20).patience(Duration::from_millis(50)));
/// ```
///
/// # What is bounded
/// While a reader does not end its section, what waits in its domain is never more than the sum of
///
/// * seven eighths of the budget;
/// * what is not counted yet, or was on its way when that was reached: 3 x 126 callbacks for each
///   possible CPU, and 126 for each thread that is queuing at that moment, each of at most 4 KiB (larger
///   ones are counted at once, one by one), and one of any size for each such thread;
/// * one callback, of any size, for each time that a thread has waited the whole patience in vain;
/// * what is queued inside callbacks.
///
/// So with a patience of 10 ms, each thread adds at most 100 callbacks a second while a reader is
/// stalled. Where that is too much, set a longer patience or use `try_call`. A patience of zero bounds
/// nothing. Because of what is not counted yet, a budget of less than some thousand callbacks is reached
/// late.
///
/// # Retiring inside a section
/// Values that a thread retires inside a read-side section wait for that section. A loop that retires values
/// under one guard fills the budget by itself, and from then on each iteration waits the whole patience.
/// To avoid that, call [`ReadGuard::refresh`](crate::ReadGuard::refresh) in each iteration: it ends the section
/// and begins another whenever a grace period waits for it.
///
/// # The environment variable `URCU_BUDGET`
/// `URCU_BUDGET` sets the budget of all domains for which the program has not chosen one, the global
/// domain included. Its value is `COUNT:BYTES` or `COUNT:BYTES:PATIENCE`, the patience in milliseconds.
/// It is read once, when the first of these domains is used for more than reading, and counts as it was
/// when the process started. A value that cannot be understood is reported, and [`Budget::DEFAULT`] used.
///
/// ```sh
/// URCU_BUDGET=4000000:67108864:50 ./service
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The number of callbacks that may wait, retired values included. At least one: zero counts as one.
    pub count: u64,
    /// The number of bytes that they may hold, as far as their types tell: the values of cells, and what
    /// closures capture, but not what a `Vec` points to, nor a `Box` that is given to `defer_drop`. At least
    /// one: zero counts as one.
    pub bytes: usize,
    /// The time for which a thread waits for room. With zero it does not wait, and nothing is bounded. At
    /// most [`Budget::PATIENCE_MAX`]: more counts as that.
    pub patience: Duration,
}

impl Budget {
    /// The default: 1,048,576 callbacks, 16 MiB, 10 ms. With the allocator's overhead the memory used may
    /// be twice as much.
    pub const DEFAULT: Budget = Budget::new(1 << 20, 16 << 20);

    /// The longest patience: one minute. Without a limit, a thread that waits for its own section would
    /// wait for ever.
    pub const PATIENCE_MAX: Duration = Duration::from_secs(60);

    /// Returns a budget of `count` callbacks and `bytes` bytes, with a patience of 10 ms. Zero counts as
    /// one, because otherwise there would never be room.
    ///
    /// ```
    /// use urcu::Budget;
    /// assert_eq!(Budget::new(0, 0), Budget::new(1, 1));
    /// ```
    pub const fn new(count: u64, bytes: usize) -> Self {
        let patience = Duration::from_millis(10);
        Budget {
            count,
            bytes,
            patience,
        }
        .clamped()
    }

    /// Returns the same budget with another patience.
    ///
    /// ```
    /// use std::time::Duration;
    /// use urcu::Budget;
    ///
    /// let endless = Budget::DEFAULT.patience(Duration::MAX);
    /// assert_eq!(endless.patience, Budget::PATIENCE_MAX);
    /// ```
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self.clamped()
    }

    /// Raises the limits to at least one and cuts the patience, so that there is room now and then.
    const fn clamped(mut self) -> Self {
        if self.count == 0 {
            self.count = 1;
        }
        if self.bytes == 0 {
            self.bytes = 1;
        }
        if self.patience.as_nanos() > Self::PATIENCE_MAX.as_nanos() {
            self.patience = Self::PATIENCE_MAX;
        }
        self
    }

    /// Parses `COUNT:BYTES[:PATIENCE]`.
    fn parse(text: &str) -> Option<Budget> {
        let mut parts = text.split(':');
        let count = parts.next()?.parse().ok().filter(|count| *count != 0)?;
        let bytes = parts.next()?.parse().ok().filter(|bytes| *bytes != 0)?;
        let mut budget = Budget::new(count, bytes);
        if let Some(milliseconds) = parts.next() {
            budget = budget.patience(Duration::from_millis(milliseconds.parse().ok()?));
        }
        parts.next().is_none().then_some(budget)
    }

    /// Returns the budget that the text of `URCU_BUDGET` stands for, else the default; and whether the text
    /// was no budget.
    pub(crate) fn from_text(text: Option<&str>) -> (Budget, bool) {
        let found = text.map(Budget::parse);
        let bad = matches!(found, Some(None));
        (found.flatten().unwrap_or(Budget::DEFAULT), bad)
    }

    /// Returns whether it is time to wait.
    pub(crate) fn is_exceeded(&self, (count, bytes): (u64, u64)) -> bool {
        count >= self.count - self.count / 8 || bytes >= (self.bytes - self.bytes / 8) as u64
    }

    pub(crate) fn is_a_quarter_used(&self, (count, bytes): (u64, u64)) -> bool {
        count >= self.count / 4 || bytes >= (self.bytes / 4) as u64
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::DEFAULT
    }
}

/// A budget that changes while others look at it. They may see half of a change.
#[derive(Debug)]
pub(crate) struct SharedBudget {
    /// 0: none was chosen.
    count: AtomicU64,
    bytes: AtomicUsize,
    /// Nanoseconds.
    patience: AtomicU64,
}

impl SharedBudget {
    /// Returns no choice.
    pub(crate) const fn unset() -> Self {
        SharedBudget {
            count: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            patience: AtomicU64::new(0),
        }
    }

    pub(crate) const fn new(budget: Budget) -> Self {
        let budget = budget.clamped();
        SharedBudget {
            count: AtomicU64::new(budget.count),
            bytes: AtomicUsize::new(budget.bytes),
            patience: AtomicU64::new(budget.patience.as_nanos() as u64),
        }
    }

    pub(crate) fn set(&self, budget: Budget) {
        let budget = budget.clamped();
        self.bytes.store(budget.bytes, Relaxed);
        // A minute is less than 2^64 ns.
        self.patience
            .store(budget.patience.as_nanos() as u64, Relaxed);
        self.count.store(budget.count, Relaxed);
    }

    /// Returns the budget, if one was chosen.
    pub(crate) fn get(&self) -> Option<Budget> {
        let count = self.count.load(Relaxed);
        let found = Budget {
            count,
            bytes: self.bytes.load(Relaxed),
            patience: Duration::from_nanos(self.patience.load(Relaxed)),
        };
        (count != 0).then(|| found.clamped())
    }

    pub(crate) fn in_force(&self) -> Budget {
        self.get().unwrap_or_else(default_budget)
    }
}

/// Returns the budget of domains for which the program has not chosen one.
fn default_budget() -> Budget {
    // Not wiped: a child says nothing again.
    static TOLD: AtomicBool = AtomicBool::new(false);
    let text = sys::budget_variable();
    let (budget, bad) = Budget::from_text(text);
    if bad && !TOLD.swap(true, Relaxed) {
        sys::say(format_args!(
            "URCU_BUDGET is not COUNT:BYTES or COUNT:BYTES:PATIENCE (milliseconds), in decimal \
             digits: {:?}; {} callbacks and {} bytes are in force",
            text.unwrap_or_default(),
            budget.count,
            budget.bytes,
        ));
    }
    budget
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_is_understood_or_refused() {
        let good = |text| Budget::parse(text).expect(text);
        assert_eq!(good("5:6"), Budget::new(5, 6));
        let patient = Budget::new(5, 6).patience(Duration::from_millis(7));
        assert_eq!(good("5:6:7"), patient);
        assert_eq!(good("5:6:0").patience, Duration::ZERO);
        assert_eq!(good("1:1:99999999999999").patience, Budget::PATIENCE_MAX);
        for bad in [
            "",
            ":",
            "5",
            "5:",
            ":6",
            "5:6:",
            "5:6:7:8",
            "5:6:x",
            "0:6",
            "5:0",
            "-5:6",
            "5 :6",
            "99999999999999999999:1",
            "5:6:7:",
            "a:b",
            "5;6",
        ] {
            assert_eq!(Budget::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Budget::from_text(None), (Budget::DEFAULT, false));
        assert_eq!(Budget::from_text(Some("x")), (Budget::DEFAULT, true));
        assert_eq!(Budget::from_text(Some("5:6")), (Budget::new(5, 6), false));
    }

    #[test]
    fn a_budget_has_room_when_nothing_waits_and_an_end_of_patience() {
        let mut none = Budget::new(0, 0).patience(Duration::MAX);
        assert_eq!((none.count, none.bytes), (1, 1));
        assert_eq!(none.patience, Budget::PATIENCE_MAX);
        // The fields are public.
        (none.count, none.bytes, none.patience) = (0, 0, Duration::MAX);
        for shared in [SharedBudget::new(none), SharedBudget::unset()] {
            shared.set(none);
            let found = shared.get().expect("was set");
            assert!(!found.is_exceeded((0, 0)) && found.is_exceeded((1, 0)));
            assert_eq!(found.patience, Budget::PATIENCE_MAX);
        }
        assert_eq!(SharedBudget::unset().get(), None);
    }
}
