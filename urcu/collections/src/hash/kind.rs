//! The two layouts of entries.

/// The layout of a map's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The bits of a pair's first word that are the key; 0 if entries are allocated one by one.
    key_mask: u64,
}

impl Kind {
    /// Entries are allocated one by one.
    pub(crate) const APART: Kind = Kind { key_mask: 0 };

    /// Pairs are in the buckets, and these bits of their first word are the key.
    pub(crate) const fn inline(key_mask: u64) -> Kind {
        Kind { key_mask }
    }

    #[inline(always)]
    pub(crate) fn is_inline(self) -> bool {
        self.key_mask != 0
    }

    /// Returns whether the first words of two pairs have the same key.
    #[inline(always)]
    pub(crate) fn is_same(self, one: u64, other: u64) -> bool {
        (one ^ other) & self.key_mask == 0
    }
}
