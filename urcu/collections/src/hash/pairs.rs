//! Buckets that hold the pairs themselves: six of them in two cache lines, of which mostly only the first is
//! needed.
//!
//! The header is that of a [`bucket`](super::bucket). A tag says that the slot's pair may be read. Pairs that find
//! no room lie outside, in a list. Each slot without a tag has a *stamp*: 0 if the slot may be filled, otherwise
//! the grace period after which it may be.
//!
//! # What a reader may rely on
//! Readers hold references to keys and values. So a slot is filled again only after a grace period that began after
//! its tag was cleared. By then nobody reads the slot any more, neither by a reference, nor in a section, nor in a
//! restartable sequence. While the header has a slot's tag, the slot's pair is there and does not change. Each
//! change of a key is **one** store, to the header or to a link. A pair that is replaced may move from the bucket
//! to the list, but not back, so a reader that loads the header first and then the list misses nothing.

use core::mem::offset_of;
use core::ptr::{self, NonNull};

use urcu::Domain;

use super::bucket::{Node, SLOTS, matches, slot_of, with_tag};
use super::raw_iter::prefetch;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, AtomicU64, Ordering, const_fn};

mod locked;
mod stamps;
pub(crate) use locked::LockedPairs;
use stamps::{Now, stamp_at};

/// The number of pairs that a bucket holds.
pub(crate) const ROOM: usize = SLOTS;
/// A bucket of a table of pairs. It begins as a [`Bucket`](super::bucket::Bucket) does.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Pairs {
    header: AtomicU64,
    /// In the first cache line, because a reader that finds no tag needs it.
    list: AtomicPtr<Outside>,
    slots: [Words; ROOM],
    /// The stamps, a byte for each slot.
    stamps: AtomicU64,
    unused: AtomicU64,
}

/// A key, and a value behind it. The words are atomic, because a slot is filled again while it is shared. Nobody
/// reads the slot then, so a reader that has found a pair may read it by plain loads.
type Words = [AtomicU64; 2];

/// The distance from a node's address to the words of its pair. The hash of other nodes has this place.
const BEFORE: usize = size_of::<u64>();

/// A pair for which the bucket had no room.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Outside {
    pub(crate) next: AtomicPtr<Outside>,
    words: Words,
    alive: Alive,
}

impl Outside {
    pub(crate) fn new(words: [u64; 2]) -> Box<Outside> {
        Box::new(Outside {
            next: AtomicPtr::new(ptr::null_mut()),
            words: words.map(AtomicU64::new),
            alive: Alive::new(),
        })
    }

    /// Returns the pair as an entry.
    #[inline(always)]
    pub(crate) fn node(this: NonNull<Outside>) -> NonNull<Node> {
        // SAFETY: the address lies within `Outside`, because the link comes before the words.
        unsafe { this.byte_add(offset_of!(Outside, words) - BEFORE).cast() }
    }
}

/// The place of a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spot<'a> {
    Slot(usize),
    /// The link that leads to the pair, and the pair.
    Linked(&'a AtomicPtr<Outside>, NonNull<Outside>),
}

fn tag_at(tags: u64, slot: usize) -> u8 {
    (tags >> (16 + 8 * slot)) as u8
}

/// Slots: for each, the highest bit of its byte.
#[derive(Clone, Copy, Debug)]
struct Slots(u64);

impl Slots {
    /// Returns the slots whose bytes are 0.
    #[inline]
    fn of_zeros(bytes: u64) -> Slots {
        const HIGHEST: u64 = 0x8080_8080_8080;
        const OTHERS: u64 = 0x7f7f_7f7f_7f7f;
        Slots(!(((bytes & OTHERS) + OTHERS) | bytes) & HIGHEST)
    }

    /// Returns the slots without a tag.
    #[inline]
    fn vacant(tags: u64) -> Slots {
        Slots::of_zeros(tags >> 16)
    }

    /// Returns the slots without a tag whose grace period is not determined yet.
    #[inline]
    fn unasked(tags: u64, stamps: u64) -> Slots {
        Slots::of_zeros(tags >> 16 | !stamps)
    }

    /// Returns the slots that may be filled without asking for grace periods: without a tag and without a stamp.
    #[inline]
    fn free(tags: u64, stamps: u64) -> Slots {
        Slots::of_zeros(tags >> 16 | stamps)
    }
}

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let slot = (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 8);
        self.0 &= self.0.wrapping_sub(1);
        slot
    }
}

const_fn! {
    fn no_words() -> Words {
        [AtomicU64::new(0), AtomicU64::new(0)]
    }
}

impl Pairs {
    const_fn! {
        pub(crate) fn new() -> Self {
            Pairs {
                header: AtomicU64::new(0),
                list: AtomicPtr::new(ptr::null_mut()),
                slots: [no_words(), no_words(), no_words(), no_words(), no_words(), no_words()],
                stamps: AtomicU64::new(0),
                unused: AtomicU64::new(0),
            }
        }
    }

    /// Returns a slot as an entry. The entry's first word, where other entries have the hash, does not belong to
    /// it.
    #[inline(always)]
    fn node(&self, slot: usize) -> NonNull<Node> {
        let offset = offset_of!(Pairs, slots) + slot * size_of::<Words>() - BEFORE;
        // SAFETY: the address lies within the bucket, because the list's link comes before the slots.
        unsafe { NonNull::from(self).byte_add(offset).cast() }
    }

    /// Prefetches the second cache line.
    #[inline(always)]
    pub(crate) fn prefetch_rest(&self) {
        prefetch(&self.slots[ROOM / 2]);
    }

    /// Returns whether a pair can probably be put into the bucket, whose header was loaded, and not into the list.
    /// This is a guess, because the caller does not hold the lock.
    #[inline]
    pub(crate) fn seems_to_have_room(&self, header: u64, domain: &Domain) -> bool {
        // Relaxed: this is only a guess.
        let stamps = self.stamps.load(Ordering::Relaxed);
        if Slots::free(header, stamps).next().is_some() {
            return true;
        }
        let Some(last) = reclaim::last_grace_period(domain) else {
            return false;
        };
        let now = Now::of(last);
        Slots::vacant(header).any(|slot| now.is_after(stamp_at(stamps, slot)))
    }

    /// Finds a pair, after the header was loaded.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        header: u64,
        tag: u8,
        mut is: impl FnMut(NonNull<Node>) -> bool,
    ) -> Option<NonNull<Node>> {
        // No tag is 1, so a byte of 0 never matches.
        let mut mask = matches(header, tag);
        while mask != 0 {
            let node = self.node(slot_of(mask));
            mask &= mask - 1;
            if is(node) {
                return Some(node);
            }
        }
        self.outside().map(Outside::node).find(|&node| is(node))
    }

    /// Returns the pairs of the list.
    #[inline(always)]
    pub(crate) fn outside(&self) -> Outsiders {
        // Acquire: pairs with the releases that fill links.
        Outsiders(self.list.load(Ordering::Acquire))
    }

    /// Returns the pairs in the bucket, after the header was loaded.
    #[inline]
    pub(crate) fn inside(&self, header: u64) -> impl Iterator<Item = NonNull<Node>> {
        (0..ROOM)
            .filter(move |&slot| tag_at(header, slot) != 0)
            .map(|slot| self.node(slot))
    }

    /// Returns the header, which has to be loaded before the rest.
    #[inline(always)]
    pub(crate) fn header(&self) -> u64 {
        // Acquire: pairs with the stores of tags.
        self.header.load(Ordering::Acquire)
    }

    /// Returns all pairs.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NonNull<Node>> {
        let header = self.header();
        self.inside(header).chain(self.outside().map(Outside::node))
    }

    #[allow(clippy::vec_box, reason = "a link is to own each")]
    /// Inserts a pair into a bucket that nobody else sees yet. If the bucket is full, the pair goes outside, into a
    /// box from `spares`.
    pub(crate) fn put_unseen(&self, words: [u64; 2], tag: u8, spares: &mut Vec<Box<Outside>>) {
        let header = self.header.load(Ordering::Relaxed);
        if let Some(slot) = Slots::vacant(header).next() {
            self.write(slot, words);
            let header = with_tag(header, slot, tag);
            self.header.store(header, Ordering::Relaxed);
            return;
        }
        let mut outside = spares.pop().expect("as many as can be needed");
        outside.words = words.map(AtomicU64::new);
        outside.next = AtomicPtr::new(self.list.load(Ordering::Relaxed));
        self.list.store(Box::into_raw(outside), Ordering::Relaxed);
    }

    /// Empties a bucket that nobody else sees yet.
    pub(crate) fn clear_unseen(&self) {
        self.header.store(0, Ordering::Relaxed);
        self.list.store(ptr::null_mut(), Ordering::Relaxed);
        self.stamps.store(0, Ordering::Relaxed);
    }

    /// Frees the pairs outside.
    ///
    /// # Safety
    /// The bucket is not used any more.
    pub(crate) unsafe fn free_outside(&self) {
        let mut next = self.list.load(Ordering::Relaxed);
        while let Some(outside) = NonNull::new(next) {
            // SAFETY: each pair outside is a box without a destructor, which one link owns.
            unsafe {
                next = outside.as_ref().next.load(Ordering::Relaxed);
                reclaim::free_memory(outside);
            }
        }
    }

    /// Writes a slot that nobody reads.
    #[inline]
    fn write(&self, slot: usize, words: [u64; 2]) {
        for (place, word) in self.slots[slot].iter().zip(words) {
            // Relaxed: the header publishes the slot.
            place.store(word, Ordering::Relaxed);
        }
    }
}

/// The pairs of a list, in a section of the domain, or under the bucket's lock.
#[derive(Clone, Debug)]
pub(crate) struct Outsiders(*mut Outside);

impl Outsiders {
    pub(crate) const NONE: Outsiders = Outsiders(ptr::null_mut());
}

impl Iterator for Outsiders {
    type Item = NonNull<Outside>;

    #[inline(always)]
    fn next(&mut self) -> Option<NonNull<Outside>> {
        let outside = NonNull::new(self.0)?;
        // SAFETY: the pair was found in the section, so it is not freed before the section ends. The next pair was
        // not unlinked before the section began either.
        let pair = unsafe { outside.as_ref() };
        pair.alive.check();
        self.0 = pair.next.load(Ordering::Acquire);
        Some(outside)
    }
}

/// Returns the words of a pair.
///
/// # Safety
/// The pair was found in a section that is still open, or under the lock.
pub(crate) unsafe fn words_of(node: NonNull<Node>) -> [u64; 2] {
    // SAFETY: the words of the pair are `BEFORE` bytes behind the node's address.
    let words = unsafe { node.byte_add(BEFORE).cast::<Words>().as_ref() };
    // Relaxed: the words were published before the node was found.
    [&words[0], &words[1]].map(|word| word.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(slots: Slots) -> Vec<usize> {
        slots.collect()
    }

    #[test]
    fn slots_are_told_by_their_bytes() {
        for mask in 0..1u64 << ROOM {
            let is_in = |slot: usize| mask >> slot & 1 != 0;
            for byte in [0x01, 0x02, 0x7f, 0x80, 0xff] {
                let bytes = (0..ROOM)
                    .filter(|&slot| is_in(slot))
                    .fold(0, |bytes, slot| bytes | byte << (8 * slot));
                let others: Vec<_> = (0..ROOM).filter(|&slot| !is_in(slot)).collect();
                let these: Vec<_> = (0..ROOM).filter(|&slot| is_in(slot)).collect();
                // The flags of a header, below its tags, make no difference.
                assert_eq!(seen(Slots::vacant(bytes << 16 | 0xffff)), others);
                assert_eq!(seen(Slots::free(0, bytes)), others);
                assert_eq!(seen(Slots::free(bytes << 16, 0)), others);
                assert_eq!(seen(Slots::unasked(bytes << 16, !0)), others);
                let asked = seen(Slots::unasked(0, bytes));
                assert_eq!(asked, if byte == 0xff { these } else { vec![] });
            }
        }
    }
}
