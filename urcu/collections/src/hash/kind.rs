//! The two ways in which entries lie.

/// How the entries of a map lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Which bits of the first word of a pair are the key. 0: entries lie elsewhere.
    key_mask: u64,
}

impl Kind {
    /// Entries are allocated one by one.
    pub(crate) const APART: Kind = Kind { key_mask: 0 };

    /// Pairs lie in the buckets, and such bits of the first word are the key.
    pub(crate) const fn inline(key_mask: u64) -> Kind {
        Kind { key_mask }
    }

    #[inline(always)]
    pub(crate) fn is_inline(self) -> bool {
        self.key_mask != 0
    }

    /// Returns whether two pairs, of which the first words are given, have the same key.
    #[inline(always)]
    pub(crate) fn is_same(self, one: u64, other: u64) -> bool {
        (one ^ other) & self.key_mask == 0
    }
}
