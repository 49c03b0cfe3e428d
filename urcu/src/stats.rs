//! What a domain counts about itself. Nothing of it is on the usual way of readers.

use core::fmt;
use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::reader_mode::ReaderMode;

const BUCKETS: usize = 32;
/// The first bucket is for times below 128 ns, the last for those from 137 s.
const FIRST: u32 = 6;

fn limit(bucket: usize) -> Duration {
    Duration::from_nanos(2 << (bucket as u32 + FIRST))
}

/// The counts of a domain since its first use in this process: see
/// [`Domain::stats`](crate::Domain::stats).
///
/// The numbers are read one after the other while other threads count, so they need not agree with one
/// another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The way in which this process counts its read-side sections, and why.
    pub reader_mode: ReaderMode,
    /// Grace periods that have ended.
    pub grace_periods: u64,
    /// Calls of `synchronize` and `replace` that waited for a grace period. More than `grace_periods` if
    /// calls shared them.
    pub callers: u64,
    /// Process-wide barriers, one system call each, that were issued for this domain. One that several
    /// domains share counts for the domain that issued it.
    pub membarriers: u64,
    /// The time that the `callers` waited.
    pub waits: Histogram,
    /// Restartable sequences that were aborted and tried again, as far as the library notices.
    pub aborts: u64,
    /// Sections that used atomics although the process has restartable sequences: on a thread without
    /// a registration, on a CPU without counters, or after many interruptions. 0 where the process has
    /// no restartable sequences (see `reader_mode`): there all sections use atomics, and are not counted.
    pub fallback_reads: u64,
    /// Callbacks that were queued. Here and below, values that were retired count as callbacks.
    pub callbacks_queued: u64,
    /// Callbacks that have run.
    pub callbacks_run: u64,
    /// Callbacks that have not run yet: `callbacks_queued` less `callbacks_run`.
    pub callbacks_pending: u64,
    /// The bytes that pending callbacks hold, as counted against the [`Budget`](crate::Budget).
    pub callbacks_pending_bytes: u64,
    /// The largest number of callbacks that were pending at one time.
    pub callbacks_peak: u64,
    /// Callbacks that panicked.
    pub callbacks_panicked: u64,
    /// Callbacks whose threads had to wait for room in the [`Budget`](crate::Budget), in vain or not.
    pub callbacks_held_up: u64,
    /// Callbacks that were queued although the [`Budget`](crate::Budget) was exceeded.
    pub callbacks_excess: u64,
    /// Grace periods that were reported as stalled. One that was reported several times counts once.
    pub stalls: u64,
}

/// A histogram of times, by powers of two of nanoseconds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Histogram([u64; BUCKETS]);

impl Histogram {
    /// Returns how many times were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns a quantile: `quantile(0.5)` is the median, `quantile(0.99)` the time that 99 of 100 did
    /// not exceed. Rounded up to a power of two of nanoseconds; zero if nothing was counted.
    ///
    /// ```
    /// urcu::synchronize();
    /// let stats = urcu::global().stats();
    /// assert!(stats.waits.quantile(0.5) <= stats.waits.quantile(1.0));
    /// ```
    pub fn quantile(&self, part: f64) -> Duration {
        let wanted = (part.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return limit(bucket);
            }
        }
        Duration::ZERO
    }

    /// Returns the buckets that are not empty: the upper limit of each, and how many times are in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, count)| **count != 0)
            .map(|(bucket, count)| (limit(bucket), *count))
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

/// The counts of the writers' side.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) membarriers: AtomicU64,
    pub(crate) stalls: AtomicU64,
    waits: [AtomicU64; BUCKETS],
}

impl Counts {
    /// Counts one more caller, which has waited for `time`.
    pub(crate) fn waited(&self, time: Duration) {
        let nanoseconds = time.as_nanos().max(1);
        let bucket = (nanoseconds.ilog2().saturating_sub(FIRST) as usize).min(BUCKETS - 1);
        self.waits[bucket].fetch_add(1, Relaxed);
    }

    pub(crate) fn waits(&self) -> Histogram {
        Histogram(core::array::from_fn(|bucket| {
            self.waits[bucket].load(Relaxed)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let counts = Counts::default();
        assert_eq!(counts.waits().quantile(0.5), Duration::ZERO);
        for time in [0, 1, 900, 1_000, 1_000_000, u64::MAX] {
            counts.waited(Duration::from_nanos(time));
        }
        let waits = counts.waits();
        assert_eq!(waits.count(), 6);
        assert_eq!(waits.quantile(0.0), Duration::from_nanos(128));
        assert_eq!(waits.quantile(0.5), Duration::from_nanos(1024));
        assert_eq!(waits.quantile(0.8), Duration::from_nanos(1 << 20));
        assert_eq!(waits.quantile(1.0), Duration::from_nanos(1 << 38));
    }
}
