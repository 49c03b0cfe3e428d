//! Time limits on a machine that others keep busy.

use std::time::{Duration, Instant};

/// A time limit that ignores pauses of the whole machine. At most one step counts between two looks: if the
/// machine stood still or made this process wait, the others made no progress either.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    step: Duration,
    spent: Duration,
    last: Instant,
}

impl Patience {
    /// Returns a limit for a caller that looks twice in every `step` on an idle machine.
    pub fn new(limit: Duration, step: Duration) -> Self {
        Patience {
            limit,
            step,
            spent: Duration::ZERO,
            last: Instant::now(),
        }
    }

    /// Starts the limit anew.
    pub fn renew(&mut self) {
        self.spent = Duration::ZERO;
        self.last = Instant::now();
    }

    /// Counts the time since the last look. Returns whether the limit is over.
    pub fn is_over(&mut self) -> bool {
        let now = Instant::now();
        self.pass(now - self.last);
        self.last = now;
        self.spent > self.limit
    }

    /// Yields to other threads, and counts the time since the last look. Returns whether to look again.
    pub fn lasts(&mut self) -> bool {
        std::thread::yield_now();
        !self.is_over()
    }

    fn pass(&mut self, time: Duration) {
        self.spent += time.min(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_stood_still_costs_one_step() {
        let second = Duration::from_secs(1);
        let mut patience = Patience::new(second * 3, second);
        patience.pass(second * 3600);
        assert_eq!(patience.spent, second);
        patience.pass(second / 2);
        patience.pass(second * 60);
        assert_eq!(patience.spent, second * 5 / 2);
        patience.pass(second);
        assert!(patience.is_over());
        patience.renew();
        assert!(!patience.is_over());
    }
}
