//! The random numbers of one thread: the same seed gives the same numbers.

/// SplitMix64 (Steele, Lea, Flood 2014): a few nanoseconds, good enough to choose by.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the generator of a thread of a run.
    pub fn new(seed: u64, thread: u64) -> Self {
        let mut random = Random(seed ^ thread.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.throw();
        random
    }

    /// Returns the next number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.throw()) * u128::from(limit)) >> 64) as u64
    }

    /// Returns true once in `throws` calls, on average.
    pub fn one_in(&mut self, throws: u64) -> bool {
        self.below(throws) == 0
    }

    /// Returns a number below two to the `most`. About half of these numbers are below two to the
    /// `most / 2`.
    pub fn skewed(&mut self, most: u32) -> u64 {
        let bits = self.below(u64::from(most) + 1);
        self.below(1 << bits)
    }

    /// Returns one element of `some`.
    pub fn pick<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_and_a_thread_give_the_same_numbers_again() {
        let throw = |seed, thread| {
            let mut random = Random::new(seed, thread);
            [(); 8].map(|()| random.throw())
        };
        assert_eq!(throw(1, 2), throw(1, 2));
        assert_ne!(throw(1, 2), throw(1, 3));
        assert_ne!(throw(1, 2), throw(2, 2));
        let mut random = Random::new(1, 1);
        assert!((0..1000).all(|_| random.below(7) < 7 && random.skewed(4) < 16));
    }
}
