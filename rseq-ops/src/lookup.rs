//! The arguments and the answers of a lookup.

/// The table that [`lookup`](crate::ops::lookup) or [`lookup_inline`](crate::ops::lookup_inline) searches, and
/// the hash that it looks for.
///
/// ```
/// use rseq_ops::ops::Place;
///
/// /// The root of a table, elsewhere; a value behind a hash and a key of 8 bytes each.
/// fn place(root: *const *const u8, hash: u64) -> Place {
///     Place { root, hash, offset: 16 }
/// }
/// assert_eq!(place(std::ptr::null(), 7).hash, 7);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// A word that holds the address of a table.
    pub root: *const *const u8,
    /// The hash of the key. Its low bits choose the bucket, its highest byte is the tag.
    pub hash: u64,
    /// The offset of the value in an entry, whose key is at 8. Bytes.
    pub offset: usize,
}

#[cfg(sequences)]
impl Place {
    /// Returns the offset that the bucket would have in a table without a last bucket.
    #[inline(always)]
    pub(crate) fn bucket(&self) -> u64 {
        self.hash << 6
    }

    /// Returns the same offset for buckets that hold pairs.
    #[inline(always)]
    pub(crate) fn inline_bucket(&self) -> u64 {
        self.hash << 7
    }

    /// Returns the tag, in each byte of a word.
    #[inline(always)]
    pub(crate) fn tags(&self) -> u64 {
        const ONES: u64 = 0x0101_0101_0101_0101;
        (self.hash >> 56).max(2) * ONES
    }
}

/// The outcome of one attempt of [`lookup`](crate::ops::lookup) or
/// [`lookup_inline`](crate::ops::lookup_inline).
///
/// ```
/// use rseq_ops::ops::Lookup;
///
/// /// Whether the caller must take a guard and look again.
/// fn is_open(lookup: Lookup) -> bool {
///     matches!(lookup, Lookup::Inconclusive | Lookup::Aborted)
/// }
/// assert!(!is_open(Lookup::Found) && !is_open(Lookup::Missing));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lookup {
    /// The key is there, and its value was copied.
    Found,
    /// The key is not there.
    Missing,
    /// The key may be elsewhere: its bucket has moved to another table, or has overflowed.
    Inconclusive,
    /// The kernel interrupted the attempt, or this thread has no registration.
    Aborted,
}

/// What the sequences return instead of an entry's address.
#[allow(dead_code, reason = "some targets have no sequences")]
pub(crate) const MISSING: usize = 0;
/// See [`MISSING`].
pub(crate) const ABORTED: usize = 1;
/// See [`MISSING`].
#[allow(dead_code, reason = "some targets have no sequences")]
pub(crate) const INCONCLUSIVE: usize = 2;

/// The entry that a sequence has found, or the reason why it has found none, and the words of the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) entry: usize,
    /// The words of the value, as pointers, because a value may be one.
    pub(crate) value: [*mut (); 2],
}

impl Answer {
    #[inline(always)]
    pub(crate) fn lookup(self) -> Lookup {
        match self.entry {
            MISSING => Lookup::Missing,
            ABORTED => Lookup::Aborted,
            INCONCLUSIVE => Lookup::Inconclusive,
            _ => Lookup::Found,
        }
    }
}
