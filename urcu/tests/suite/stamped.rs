//! A value that shows whether it is whole and alive.

/// Words of the small and of the large value: 24 bytes, which a snapshot copies with three moves,
/// and 200, which it copies with a string instruction.
pub(crate) const SMALL: usize = 3;
pub(crate) const LARGE: usize = 25;

const MAGIC: u64 = 0x5AFE << 48;

/// Every word follows from the stamp and its own place.
#[derive(Clone, Copy)]
pub(crate) struct Stamped<const WORDS: usize>([u64; WORDS]);

fn word(stamp: u64, place: usize) -> u64 {
    (MAGIC | stamp).rotate_left(place as u32)
}

impl<const WORDS: usize> Stamped<WORDS> {
    pub(crate) fn new(stamp: u64) -> Self {
        assert!(stamp >> 48 == 0);
        Stamped(std::array::from_fn(|place| word(stamp, place)))
    }

    /// The stamp, if all of the value is as it was made. Looks at memory at every call.
    pub(crate) fn check(&self) -> Option<u64> {
        // SAFETY: reads words of `self`; volatile, so that no earlier look is reused.
        let look = |place: usize| unsafe { (&raw const self.0[place]).read_volatile() };
        let stamp = look(0) ^ MAGIC;
        (stamp >> 48 == 0 && (0..WORDS).all(|place| look(place) == word(stamp, place)))
            .then_some(stamp)
    }
}

#[test]
fn a_value_that_was_changed_anywhere_does_not_check() {
    assert_eq!(Stamped::<LARGE>::new(7).check(), Some(7));
    for place in 0..LARGE {
        let mut value = Stamped::<LARGE>::new(7);
        value.0[place] = crate::poison::POISON;
        assert_eq!(value.check(), None);
    }
}
