//! Keys, values, and the order in which keys are asked for.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns numbers that depend on the seed alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number in `0.0..1.0`.
    fn part(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A distribution of the keys that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All as often.
    Uniform,
    /// By Zipf's law with the exponent 0.99, as YCSB and smr-benchmark have it: the n-th as often as n^-0.99.
    Zipf,
}

impl Spread {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf 0.99",
        }
    }

    /// Returns so many numbers below `below`.
    #[must_use]
    pub fn draw(self, count: usize, below: u64, seed: u64) -> Vec<u64> {
        let mut random = Random::new(seed);
        let mut numbers = Vec::with_capacity(count);
        match self {
            Self::Uniform => numbers.extend((0..count).map(|_| random.draw() % below)),
            Self::Zipf => {
                let zipf = Zipf::new(below);
                numbers.extend((0..count).map(|_| zipf.rank(random.part())));
            }
        }
        numbers
    }
}

/// The sums of n^-0.99.
struct Zipf(Vec<f64>);

impl Zipf {
    const EXPONENT: f64 = 0.99;

    fn new(below: u64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=below).map(|rank| {
            sum += (rank as f64).powf(-Self::EXPONENT);
            sum
        });
        Self(sums.collect())
    }

    /// Returns the rank below which this part of all draws lies.
    fn rank(&self, part: f64) -> u64 {
        let wanted = part * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum < wanted) as u64
    }
}

/// A type of keys.
pub trait Key: Hash + Eq + Ord + Clone + Send + Sync + Debug + 'static {
    /// Its name in tables.
    const NAME: &'static str;

    /// Returns the key of a number: another for each. They are spread over all bits, so that none of them is in
    /// an order that a structure could know.
    fn of(number: u64) -> Self;
}

/// A type of values.
pub trait Value: Clone + PartialEq + Send + Sync + Debug + 'static {
    /// Its name in tables.
    const NAME: &'static str;

    /// Returns the value of a number.
    fn of(number: u64) -> Self;

    /// Looks at the value, behind its pointer if it has one.
    fn look(&self) -> u64;
}

fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Key for u64 {
    const NAME: &'static str = "u64";

    fn of(number: u64) -> Self {
        spread(number)
    }
}

impl Key for String {
    const NAME: &'static str = "String";

    fn of(number: u64) -> Self {
        format!("user:{:020}", spread(number))
    }
}

impl Value for u64 {
    const NAME: &'static str = "u64";

    fn of(number: u64) -> Self {
        number
    }

    #[inline(always)]
    fn look(&self) -> u64 {
        *self
    }
}

impl Value for Arc<str> {
    const NAME: &'static str = "Arc<str>";

    fn of(number: u64) -> Self {
        format!("value {number:020}").into()
    }

    #[inline(always)]
    fn look(&self) -> u64 {
        u64::from(self.as_bytes()[self.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Spread, Value};
    use std::collections::HashSet;
    use std::sync::Arc;

    #[test]
    fn zipf_asks_for_few_keys_most_of_the_time_and_uniform_for_all() {
        let hottest = |spread: Spread| {
            let drawn = spread.draw(100_000, 1000, 7);
            assert!(drawn.iter().all(|number| *number < 1000));
            drawn.iter().filter(|number| **number < 10).count()
        };
        // The first ten of 1,000 have 2.9 of 7.7.
        let zipf = hottest(Spread::Zipf);
        assert!((36_000..41_000).contains(&zipf), "{zipf}");
        let uniform = hottest(Spread::Uniform);
        assert!((700..1300).contains(&uniform), "{uniform}");
    }

    #[test]
    fn each_number_has_a_key_of_its_own() {
        let numbers: HashSet<u64> = (0..1000).map(<u64 as Key>::of).collect();
        let names: HashSet<String> = (0..1000).map(String::of).collect();
        assert_eq!((numbers.len(), names.len()), (1000, 1000));
        assert_ne!(<Arc<str> as Value>::of(1), <Arc<str> as Value>::of(2));
        assert_ne!(<Arc<str>>::of(1).look(), <Arc<str>>::of(2).look());
    }
}
