//! The counters of a run.

use serde::{Deserialize, Serialize};
use urcu::Stats;

/// Counters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Verified reads.
    pub reads: u64,
    /// Versions that were reclaimed after a grace period.
    pub updates: u64,
    /// Grace periods.
    pub grace_periods: u64,
    /// Aborted sequences that the library noticed.
    pub aborts: u64,
    /// Sections that began with atomics although the process has sequences.
    pub fallbacks: u64,
    /// Resident memory, in bytes; in a result, the highest value seen.
    pub memory: u64,
}

impl Counts {
    /// Adds what a domain counted.
    pub fn add(&mut self, stats: &Stats) {
        self.grace_periods += stats.grace_periods;
        self.aborts += stats.aborts;
        self.fallbacks += stats.fallback_reads;
    }
}

/// Returns a number in about four characters.
pub fn short(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["", "k", "M", "G"] {
        if value < 999.5 {
            return if unit.is_empty() {
                format!("{number}")
            } else {
                let digits = usize::from(value < 99.95);
                format!("{value:.digits$}{unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1}T")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        let shown = [0, 999, 1000, 12_345, 999_499, 2_500_000, 30_000_000_000].map(short);
        assert_eq!(
            shown,
            ["0", "999", "1.0k", "12.3k", "999k", "2.5M", "30.0G"]
        );
    }
}
