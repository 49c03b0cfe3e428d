//! Values of cells, which show whether they are whole, alive and not too old.

const MAGIC: u64 = 0x5AFE << 48;

/// A value in which every word follows from the stamp and the word's place.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<const WORDS: usize>([u64; WORDS]);

fn word(stamp: u64, place: usize) -> u64 {
    (MAGIC | stamp).rotate_left(place as u32)
}

impl<const WORDS: usize> Stamped<WORDS> {
    /// Returns the value with this stamp, which has 48 bits.
    pub fn new(stamp: u64) -> Self {
        debug_assert!(stamp >> 48 == 0);
        Stamped(std::array::from_fn(|place| word(stamp, place)))
    }

    /// Returns the stamp if the whole value is unchanged. Reads memory at every call.
    #[inline]
    pub fn check(&self) -> Option<u64> {
        // SAFETY: the pointers are to words of `self`. Volatile, so that no earlier read is reused.
        let look = |place: usize| unsafe { (&raw const self.0[place]).read_volatile() };
        let stamp = look(0) ^ MAGIC;
        let whole = (0..WORDS).fold(stamp >> 48, |wrong, place| {
            wrong | (look(place) ^ word(stamp, place))
        });
        (whole == 0).then_some(stamp)
    }

    /// Returns the words, for a report.
    pub fn words(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Stamped;

    #[test]
    fn a_value_that_was_changed_anywhere_does_not_check() {
        assert_eq!(Stamped::<25>::new(7).check(), Some(7));
        for place in 0..25 {
            let mut value = Stamped::<25>::new(7);
            value.0[place] = 0xDEAD_DEAD_DEAD_DEAD;
            assert_eq!(value.check(), None);
        }
    }
}
