//! Statistics of a domain.

use super::domain::Domain;
use crate::stats::Stats;
use crate::sync::Ordering;

impl Domain {
    /// Returns what this domain has counted since its first use in this process.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.synchronize();
    /// let stats = domain.stats();
    /// assert_eq!((stats.grace_periods, stats.callers), (1, 1));
    /// ```
    pub fn stats(&self) -> Stats {
        let state = self.state();
        let readers = &state.gp.readers;
        let mut stats = Stats {
            aborts: readers.aborts(),
            fallback_reads: readers.fallbacks(),
            ..Stats::default()
        };
        if let Some(driver) = state.existing_driver() {
            stats.grace_periods = driver.progress.sequence.done().number();
            stats.waits = driver.counts.waits();
            stats.callers = stats.waits.count();
            stats.membarriers = driver.counts.membarriers.load(Ordering::Relaxed);
            stats.stalls = driver.counts.stalls.load(Ordering::Relaxed);
            driver.callbacks.count(readers, &mut stats);
        }
        stats
    }
}
