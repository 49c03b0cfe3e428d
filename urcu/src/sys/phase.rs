//! A phase of a domain, in one word.

use core::num::NonZeroUsize;

/// One of the two phases of a domain's counters: the address of its `net` counter in slot 0.
///
/// Whoever has a phase may look into its slots, so only unsafe functions make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Phase(NonZeroUsize);

impl Phase {
    /// Set in the word of the second phase: the two counters lie this far apart, and slots are aligned to
    /// more.
    const SECOND: usize = size_of::<u64>();

    /// Returns the phase with this word.
    ///
    /// # Safety
    /// The word is one that [`Phase::word`] has returned, or that a sequence has loaded where such a word was
    /// stored. The slots behind it live while this value, or a copy, is used.
    #[inline(always)]
    pub(crate) const unsafe fn new(word: NonZeroUsize) -> Self {
        Phase(word)
    }

    /// Returns the phase with this word; `None` for 0, which stands where there is no phase.
    ///
    /// # Safety
    /// As for [`Phase::new`], if the word is not 0.
    #[inline(always)]
    pub(crate) unsafe fn of_word(word: usize) -> Option<Self> {
        NonZeroUsize::new(word).map(Phase)
    }

    /// Returns the word, to be stored, compared, or given to a sequence. Never 0.
    #[inline(always)]
    pub(crate) const fn word(self) -> usize {
        self.0.get()
    }

    /// Returns the other phase of the same slots.
    #[inline(always)]
    pub(crate) const fn other(self) -> Self {
        match NonZeroUsize::new(self.word() ^ Phase::SECOND) {
            Some(word) => Phase(word),
            // The first phase's word is not 0, and the second's has a bit set.
            None => unreachable!(),
        }
    }

    /// Returns whether this is the second phase: the index of its words in a slot.
    #[inline(always)]
    pub(crate) const fn is_second(self) -> bool {
        self.word() & Phase::SECOND != 0
    }

    /// Returns the address of the slots.
    #[inline(always)]
    pub(crate) const fn base(self) -> usize {
        self.word() & !Phase::SECOND
    }

    /// Returns whether a word is that of a phase of the same slots.
    #[inline(always)]
    pub(crate) const fn has_slots_of(self, word: usize) -> bool {
        (word ^ self.word()) & !Phase::SECOND == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_of_the_same_slots_are_each_the_other() {
        // SAFETY: nobody looks into the slots.
        let [one, elsewhere] = [4096, 8192].map(|word| unsafe { Phase::of_word(word) }.unwrap());
        let two = one.other();
        assert_eq!((one.is_second(), two.is_second()), (false, true));
        assert_eq!((two.other(), two.base()), (one, one.base()));
        for phase in [one, two] {
            assert!(phase.has_slots_of(one.word()) && phase.has_slots_of(two.word()));
            assert!(!phase.has_slots_of(elsewhere.word()) && !phase.has_slots_of(0));
        }
        // SAFETY: nobody looks into the slots.
        assert_eq!(unsafe { Phase::of_word(0) }, None);
    }
}
