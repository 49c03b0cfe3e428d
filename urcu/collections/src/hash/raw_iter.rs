//! Iterating over a map that other threads change.
//!
//! The iteration visits the buckets of the table that was the root at its beginning, in order. A bucket that was
//! moved stands for a set of hashes: those that end in its number. The iteration looks for these hashes in the
//! current table, in the order of their *reversed* bits. In that order, the hashes of one bucket of any table are a
//! contiguous range. So each hash is visited once, in one bucket, however often the map was resized meanwhile, and
//! an entry that nobody touches is met exactly once.

use core::fmt;
use core::ptr::{self, NonNull};

use super::bucket::{Bucket, Node, SLOTS};
use super::pairs::{Outside, Outsiders, Pairs, words_of};
use super::raw::Hashes;
use super::table::{AnyBucket, TableRef};
use crate::sync::Ordering;

/// A range of reversed hashes, both ends included.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
}

impl Range {
    const ALL: Range = Range {
        first: 0,
        last: u64::MAX,
    };

    /// Returns the range of the bucket in which a table has the first hash of `self`.
    fn of_bucket(self, table: TableRef<'_>) -> Range {
        let bits = table.buckets().trailing_zeros();
        let below = u64::MAX.checked_shr(bits).unwrap_or(0);
        Range {
            first: self.first & !below,
            last: self.first | below,
        }
    }

    fn has(self, hash: u64) -> bool {
        (self.first..=self.last).contains(&hash.reverse_bits())
    }
}

/// An iterator over the entries of some buckets of a table, in a section that lasts as long as `'g`.
#[derive(Clone)]
pub(crate) struct RawIter<'g> {
    table: TableRef<'g>,
    hashes: &'g dyn Hashes,
    next: usize,
    end: usize,
    /// The remaining hashes of a bucket that was moved.
    moved: Option<Range>,
    /// The range of hashes to yield from the current bucket.
    range: Range,
    chain: Option<&'g Bucket>,
    found: [*mut Node; SLOTS],
    left: usize,
    /// The remaining list of a bucket of pairs.
    outside: Outsiders,
}

impl fmt::Debug for RawIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawIter")
            .field("table", &self.table)
            .field("next", &self.next)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

// SAFETY: the iterator only gives the addresses of entries. Hashes are read from entries, or made by hashers that
// any thread may use.
unsafe impl Send for RawIter<'_> {}
// SAFETY: the iterator only gives the addresses of entries.
unsafe impl Sync for RawIter<'_> {}

impl<'g> RawIter<'g> {
    pub(crate) fn new(table: TableRef<'g>, hashes: &'g dyn Hashes) -> Self {
        RawIter::part(table, hashes, 0, table.buckets())
    }

    fn part(table: TableRef<'g>, hashes: &'g dyn Hashes, next: usize, end: usize) -> Self {
        RawIter {
            table,
            hashes,
            next,
            end,
            moved: None,
            range: Range::ALL,
            chain: None,
            found: [ptr::null_mut(); SLOTS],
            left: 0,
            outside: Outsiders::NONE,
        }
    }

    /// Splits off the second half of the remaining buckets, if there are at least two.
    #[cfg(feature = "rayon")]
    pub(crate) fn split(&mut self) -> Option<Self> {
        let middle = self.next + (self.end - self.next) / 2;
        if middle == self.next {
            return None;
        }
        let second = RawIter::part(self.table, self.hashes, middle, self.end);
        self.end = middle;
        Some(second)
    }

    #[inline]
    fn take(&mut self, bucket: AnyBucket<'g>) {
        if let Some(pairs) = bucket.pairs {
            self.take_inline(pairs);
            return;
        }
        let bucket = bucket.bucket;
        for slot in &bucket.slots {
            // Acquire: pairs with the release that filled the slot.
            let node = slot.load(Ordering::Acquire);
            if !node.is_null() {
                prefetch(node);
                self.found[self.left] = node;
                self.left += 1;
            }
        }
        self.chain = bucket.overflow();
    }

    #[inline]
    fn take_inline(&mut self, pairs: &'g Pairs) {
        // The header before the list, as in all readers.
        let header = pairs.header();
        self.found = [ptr::null_mut(); SLOTS];
        for node in pairs.inside(header) {
            self.found[self.left] = node.as_ptr();
            self.left += 1;
        }
        self.outside = pairs.outside();
    }

    /// Returns the next pair of the list. Skips a pair that has just replaced one that was found in the bucket.
    #[inline]
    fn next_outside(&mut self) -> Option<NonNull<Node>> {
        // SAFETY: the pair was found in the section, which lasts as long as `'g`.
        let key = |node| unsafe { words_of(node) }[0];
        let kind = self.table.kind();
        let found = self.found.iter().filter_map(|&node| NonNull::new(node));
        self.outside.by_ref().map(Outside::node).find(|&node| {
            !found
                .clone()
                .any(|inside| kind.is_same(key(inside), key(node)))
        })
    }

    #[inline]
    fn next_bucket(&mut self) -> Option<AnyBucket<'g>> {
        if let Some(rest) = self.moved.take() {
            return Some(self.next_moved(rest));
        }
        if self.next == self.end {
            return None;
        }
        let bucket = self.table.any_at(self.next);
        let number = self.next as u64;
        self.next += 1;
        if bucket.bucket.is_moved() {
            let first = number.reverse_bits();
            let rest = Range { first, last: first }.of_bucket(self.table);
            return Some(self.next_moved(rest));
        }
        self.range = Range::ALL;
        Some(bucket)
    }

    #[cold]
    fn next_moved(&mut self, rest: Range) -> AnyBucket<'g> {
        let mut table = self.table;
        loop {
            let bucket = table.any_at(rest.first.reverse_bits() as usize);
            if bucket.bucket.is_moved() {
                table = table
                    .successor()
                    .expect("a table with moved buckets has a successor");
                continue;
            }
            let last = rest.of_bucket(table).last.min(rest.last);
            self.range = Range { last, ..rest };
            self.moved = (last < rest.last).then(|| Range {
                first: last + 1,
                ..rest
            });
            return bucket;
        }
    }
}

impl Iterator for RawIter<'_> {
    type Item = NonNull<Node>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<Node>> {
        loop {
            while self.left > 0 {
                self.left -= 1;
                let Some(node) = NonNull::new(self.found[self.left]) else {
                    continue;
                };
                if self.range.is_all() || self.range.has(self.hashes.hash_of(node)) {
                    return Some(node);
                }
            }
            if let Some(node) = self.next_outside() {
                if self.range.is_all() || self.range.has(self.hashes.hash_of(node)) {
                    return Some(node);
                }
                continue;
            }
            let bucket = match self.chain.take() {
                Some(bucket) => AnyBucket {
                    bucket,
                    pairs: None,
                },
                None => self.next_bucket()?,
            };
            self.take(bucket);
        }
    }
}

impl Range {
    #[inline]
    fn is_all(self) -> bool {
        self.first == 0 && self.last == u64::MAX
    }
}

/// Prefetches an entry, which may have been freed already.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: this hint may be given for any address.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: this hint may be given for any address, and changes nothing that the compiler knows of.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
