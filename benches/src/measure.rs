//! Statistics of interleaved rounds: medians, minima and ratios.

use serde::{Deserialize, Serialize};

/// Returns the median of the values: the middle one, or the mean of the two middle ones. Returns NaN if there is
/// none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Returns the least value, or NaN if there is none.
#[must_use]
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

/// Returns the value that the given part of all values does not exceed, or NaN if there is none.
#[must_use]
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    let found = sorted.get(rank.saturating_sub(1));
    found.copied().unwrap_or(f64::NAN)
}

/// The ratio between two series of the same rounds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// The median of the rounds' own ratios: a clock or a neighbour that changes between
    /// rounds changes both sides of each.
    pub rounds: f64,
    /// The ratio of the two minima: what an undisturbed machine would come close to.
    pub quiet: f64,
}

/// The ratio of a figure without rounds.
impl From<f64> for Ratio {
    fn from(value: f64) -> Self {
        Self {
            rounds: value,
            quiet: value,
        }
    }
}

impl Ratio {
    /// Compares `ours` with `theirs`, which have the same rounds at the same indices.
    #[must_use]
    pub fn of(ours: &[f64], theirs: &[f64]) -> Self {
        Self::by(|our, their| our / their, ours, theirs)
    }

    /// Compares by differences instead of ratios.
    #[must_use]
    pub fn difference(ours: &[f64], theirs: &[f64]) -> Self {
        Self::by(|our, their| our - their, ours, theirs)
    }

    fn by(compare: fn(f64, f64) -> f64, ours: &[f64], theirs: &[f64]) -> Self {
        let rounds = ours.iter().zip(theirs);
        let rounds: Vec<f64> = rounds.map(|(our, their)| compare(*our, *their)).collect();
        Self {
            rounds: median(&rounds),
            quiet: compare(minimum(ours), minimum(theirs)),
        }
    }
}

/// The effort of a run: how many rounds, of what length.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Effort {
    /// Rounds over all sections.
    pub section_rounds: usize,
    /// About how long each section runs in a round, in microseconds.
    pub section_us: u64,
    /// Rounds over the reads of many threads.
    pub scaling_rounds: usize,
    /// The length of each of them, in milliseconds.
    pub scaling_ms: u64,
    /// Rounds over the mixes of reads and updates.
    pub mixed_rounds: usize,
    /// The length of each mix, in milliseconds.
    pub mixed_ms: u64,
    /// The time for which a large value is replaced at each rate, in milliseconds.
    pub reload_ms: u64,
    /// Rounds over all grace-period scenarios.
    pub grace_rounds: usize,
    /// Grace periods of one library and scenario in a round, at most.
    pub grace_samples: usize,
    /// The time after which no further one of them begins, in milliseconds.
    pub grace_ms: u64,
    /// Threads in the scenario of idle threads.
    pub idle_threads: usize,
    /// Rounds over what is measured in stretches of time: sharing, updates.
    pub window_rounds: usize,
    /// The length of such a stretch, in milliseconds.
    pub window_ms: u64,
    /// Callers of `synchronize` who share grace periods.
    pub callers: usize,
    /// Readers who share few CPUs.
    pub crowd: usize,
    /// The length of each of their situations, in milliseconds.
    pub crowd_ms: u64,
    /// Rounds over them.
    pub crowd_rounds: usize,
    /// Domains whose memory is measured.
    pub domains: usize,
    /// Values retired one by one, for the time until they are dropped.
    pub light_samples: usize,
    /// The time for which values are replaced while memory is measured, in seconds.
    pub memory_seconds: f64,
    /// Numbers of threads that have read and sleep.
    pub idle: &'static [usize],
    /// The sizes of maps, in entries.
    pub entries: &'static [u64],
    /// The size to which a map grows from none, in entries.
    pub grown: u64,
    /// Rounds over the maps and queues.
    pub structure_rounds: usize,
    /// Operations of one of them in a round.
    pub operations: usize,
    /// The duration of each load of several threads, in milliseconds.
    pub structure_ms: u64,
}

impl Effort {
    /// The effort for figures to keep.
    pub const FULL: Self = Self {
        section_rounds: 41,
        section_us: 2000,
        scaling_rounds: 5,
        scaling_ms: 100,
        mixed_rounds: 5,
        mixed_ms: 40,
        reload_ms: 4000,
        grace_rounds: 9,
        grace_samples: 1000,
        grace_ms: 120,
        idle_threads: 2000,
        window_rounds: 7,
        window_ms: 150,
        callers: 64,
        crowd: 1000,
        crowd_ms: 2000,
        crowd_rounds: 3,
        domains: 10_000,
        light_samples: 400,
        memory_seconds: 40.0,
        idle: &[10, 100, 1000, 10_000],
        entries: &[16, 1000, 65_536, 1 << 20, 4 << 20],
        grown: 1 << 20,
        structure_rounds: 5,
        operations: 100000,
        structure_ms: 30,
    };

    /// The effort for tests of the measurements themselves.
    #[cfg(test)]
    pub(crate) const TEST: Self = Self {
        section_rounds: 2,
        section_us: 10,
        scaling_rounds: 1,
        scaling_ms: 5,
        mixed_rounds: 1,
        mixed_ms: 2,
        reload_ms: 30,
        grace_rounds: 1,
        grace_samples: 2,
        grace_ms: 10,
        idle_threads: 5,
        window_rounds: 2,
        window_ms: 5,
        callers: 4,
        crowd: 10,
        crowd_ms: 20,
        crowd_rounds: 2,
        domains: 100,
        light_samples: 3,
        memory_seconds: 0.1,
        idle: &[2, 4],
        entries: &[16, 100],
        grown: 200,
        structure_rounds: 1,
        operations: 200,
        structure_ms: 2,
    };

    /// The effort for a quick look.
    pub const QUICK: Self = Self {
        section_rounds: 11,
        section_us: 500,
        scaling_rounds: 1,
        scaling_ms: 20,
        mixed_rounds: 1,
        mixed_ms: 6,
        reload_ms: 250,
        grace_rounds: 3,
        grace_samples: 200,
        grace_ms: 40,
        idle_threads: 2000,
        window_rounds: 3,
        window_ms: 30,
        callers: 64,
        crowd: 250,
        crowd_ms: 200,
        crowd_rounds: 1,
        domains: 10_000,
        light_samples: 100,
        memory_seconds: 2.0,
        idle: &[10, 1000],
        entries: &[1000, 65_536],
        grown: 65_536,
        structure_rounds: 3,
        operations: 30000,
        structure_ms: 8,
    };
}

#[cfg(test)]
mod tests {
    use super::{Ratio, median, minimum, quantile};

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(minimum(&[3.0, 1.0, 2.0]), 1.0);
        assert!(minimum(&[]).is_nan());
    }

    #[test]
    fn quantiles() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 50.0);
        assert_eq!(quantile(&values, 0.99), 99.0);
        assert_eq!(quantile(&values, 1.0), 100.0);
        assert_eq!(quantile(&[1.0, f64::INFINITY], 0.99), f64::INFINITY);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn differences_follow_the_rounds_too() {
        let difference = Ratio::difference(&[3.0, 5.0, 9.0], &[1.0, 4.0, 5.0]);
        assert_eq!(difference.rounds, 2.0);
        assert_eq!(difference.quiet, 2.0);
    }

    #[test]
    fn a_ratio_follows_the_rounds() {
        // The second round ran at half the speed on both sides.
        let ratio = Ratio::of(&[1.0, 2.0, 1.0], &[2.0, 4.0, 4.0]);
        assert_eq!(ratio.rounds, 0.5);
        assert_eq!(ratio.quiet, 0.5);
    }
}
