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

use super::bucket::{Locked, Node, SLOTS, matches, slot_of, with_tag};
use super::kind::Kind;
use super::raw_iter::prefetch;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, AtomicU64, Ordering, const_fn};

mod stamps;
use stamps::{UNASKED, is_over, stamp, stamp_at, with_stamp};

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

/// Returns the slots without a tag.
fn vacant(tags: u64) -> impl Iterator<Item = usize> {
    (0..ROOM).filter(move |&slot| tag_at(tags, slot) == 0)
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
        if let Some(slot) = vacant(header).next() {
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

/// A locked bucket of pairs.
#[derive(Debug)]
pub(crate) struct LockedPairs<'a> {
    lock: Locked<'a>,
    pairs: &'a Pairs,
}

impl<'a> LockedPairs<'a> {
    /// Wraps the lock of a bucket. Repairs what the previous holder of the lock has left behind, if it was lost in
    /// a fork.
    #[inline(always)]
    pub(crate) fn new(lock: Locked<'a>, pairs: &'a Pairs, kind: Kind) -> Self {
        let locked = LockedPairs { lock, pairs };
        if locked.lock.was_lost {
            locked.mend(kind);
        }
        locked
    }

    pub(crate) fn into_lock(self) -> Locked<'a> {
        self.lock
    }

    #[cold]
    fn mend(&self, kind: Kind) {
        // The thread may have replaced a pair by one in the list, and not emptied the old pair's slot yet. Then the
        // replacement is undone, and its memory leaks.
        let head = self.pairs.list.load(Ordering::Relaxed);
        let Some(head) = NonNull::new(head) else {
            return;
        };
        // SAFETY: under the lock, pairs that links lead to are not retired.
        let head = unsafe { head.as_ref() };
        if self
            .slot_of(head.words[0].load(Ordering::Relaxed), kind)
            .is_some()
        {
            let next = head.next.load(Ordering::Relaxed);
            self.pairs.list.store(next, Ordering::Release);
        }
    }

    #[inline(always)]
    fn slot_of(&self, key: u64, kind: Kind) -> Option<usize> {
        (0..ROOM).find(|&slot| {
            // Relaxed: the lock has acquired.
            let word = self.pairs.slots[slot][0].load(Ordering::Relaxed);
            tag_at(self.lock.tags, slot) != 0 && kind.is_same(word, key)
        })
    }

    /// Returns the link that leads to a pair of the list, and the pair.
    fn link(&self, mut is: impl FnMut(NonNull<Outside>) -> bool) -> Option<Spot<'a>> {
        let mut link = &self.pairs.list;
        loop {
            // Relaxed: the caller holds the lock.
            let outside = NonNull::new(link.load(Ordering::Relaxed))?;
            if is(outside) {
                return Some(Spot::Linked(link, outside));
            }
            // SAFETY: under the lock, pairs that links lead to are not retired. They live as long as the table, or
            // until a grace period after they were unlinked, and so longer than the lock is held.
            link = unsafe { &(*outside.as_ptr()).next };
        }
    }

    /// Returns the place of a key.
    #[inline]
    pub(crate) fn seek(&self, key: u64, kind: Kind) -> Option<Spot<'a>> {
        if let Some(slot) = self.slot_of(key, kind) {
            return Some(Spot::Slot(slot));
        }
        self.link(|outside| {
            // SAFETY: under the lock, pairs that links lead to are not retired.
            let word = unsafe { outside.as_ref() }.words[0].load(Ordering::Relaxed);
            kind.is_same(word, key)
        })
    }

    /// Returns the place of a pair that was found in this section, if it is still there.
    #[inline]
    pub(crate) fn spot_of(&self, node: NonNull<Node>) -> Option<Spot<'a>> {
        let distance = node
            .addr()
            .get()
            .wrapping_sub(self.pairs.node(0).addr().get());
        let slot = distance / size_of::<Words>();
        if slot < ROOM {
            // The slot was not filled again since the pair was found: that takes a grace period.
            return (tag_at(self.lock.tags, slot) != 0).then_some(Spot::Slot(slot));
        }
        self.link(|outside| Outside::node(outside) == node)
    }

    /// Returns a slot that may be filled.
    #[inline]
    fn room(&mut self, domain: &Domain) -> Option<usize> {
        let tags = self.lock.tags;
        // Relaxed, as all accesses to stamps, which happen under the lock.
        let stamps = self.pairs.stamps.load(Ordering::Relaxed);
        let free = vacant(tags).find(|&slot| stamp_at(stamps, slot) == 0);
        match free {
            None if vacant(tags).next().is_some() => self.room_after(stamps, domain),
            free => free,
        }
    }

    /// Returns a slot whose grace period is over. If there is none, notes for the emptied slots which grace period
    /// they have to wait for.
    fn room_after(&mut self, mut stamps: u64, domain: &Domain) -> Option<usize> {
        let tags = self.lock.tags;
        if !self.lock.is_ours {
            // The stamps are numbers of the parent process.
            for slot in vacant(tags) {
                stamps = with_stamp(stamps, slot, UNASKED);
            }
            self.pairs.stamps.store(stamps, Ordering::Relaxed);
            self.lock.is_ours = true;
        }
        // If the number is not known yet, the caller prepares it without the lock, and tries again.
        let last = reclaim::last_grace_period(domain)?;
        let is_unasked = |&slot: &usize| stamp_at(stamps, slot) == UNASKED;
        let is_free = |slot: &usize| !is_unasked(slot) && is_over(stamp_at(stamps, *slot), last);
        if let Some(slot) = vacant(tags).find(is_free) {
            return Some(slot);
        }
        if vacant(tags).any(|slot| is_unasked(&slot)) {
            // These slots were emptied before this call, by earlier holders of the lock.
            let next = stamp(reclaim::next_grace_period(domain));
            let asked = vacant(tags)
                .filter(is_unasked)
                .fold(stamps, |stamps, slot| with_stamp(stamps, slot, next));
            self.pairs.stamps.store(asked, Ordering::Relaxed);
        }
        None
    }

    /// Notes that a slot is about to be emptied. The note comes first, because a slot without a tag and without a
    /// stamp would be filled at once.
    #[inline]
    fn note_emptied(&self, slot: usize) {
        let stamps = self.pairs.stamps.load(Ordering::Relaxed);
        let stamps = with_stamp(stamps, slot, UNASKED);
        self.pairs.stamps.store(stamps, Ordering::Relaxed);
    }

    #[inline]
    fn vacate(&mut self, slot: usize) {
        self.note_emptied(slot);
        self.lock.set_tags(with_tag(self.lock.tags, slot, 0));
    }

    /// Fills a slot, and may empty another one in the same step.
    #[inline]
    fn fill_slot(
        &mut self,
        slot: usize,
        words: [u64; 2],
        tag: u8,
        emptied: Option<usize>,
    ) -> NonNull<Node> {
        self.pairs.write(slot, words);
        let mut tags = self.lock.tags;
        if let Some(emptied) = emptied {
            self.note_emptied(emptied);
            tags = with_tag(tags, emptied, 0);
        }
        // The header's release: a reader that sees the tag sees the pair.
        self.lock.set_tags(with_tag(tags, slot, tag));
        self.pairs.node(slot)
    }

    fn push(&mut self, mut new: Box<Outside>) -> NonNull<Node> {
        new.next = AtomicPtr::new(self.pairs.list.load(Ordering::Relaxed));
        let new = NonNull::from(Box::leak(new));
        // Release: who finds the pair sees what is in it.
        self.pairs.list.store(new.as_ptr(), Ordering::Release);
        Outside::node(new)
    }

    /// Adds a pair whose key is missing: inside the bucket, or outside if a spare box is given. Returns `None` if
    /// neither is possible.
    #[inline]
    pub(crate) fn add(
        &mut self,
        words: [u64; 2],
        tag: u8,
        spare: &mut Option<Box<Outside>>,
        domain: &Domain,
    ) -> Option<NonNull<Node>> {
        match self.room(domain) {
            Some(slot) => Some(self.fill_slot(slot, words, tag, None)),
            None => Some(self.push(spare.take()?)),
        }
    }

    /// Replaces a pair by another one with the same key. Returns the new pair, and the pair that was unlinked from
    /// the list, if any. Returns `None` if there is no room and no spare box.
    #[inline]
    pub(crate) fn exchange(
        &mut self,
        old: Spot<'a>,
        words: [u64; 2],
        tag: u8,
        spare: &mut Option<Box<Outside>>,
        domain: &Domain,
    ) -> Option<(NonNull<Node>, Option<NonNull<Outside>>)> {
        match old {
            Spot::Slot(slot) => {
                if let Some(free) = self.room(domain) {
                    return Some((self.fill_slot(free, words, tag, Some(slot)), None));
                }
                // Until the slot is emptied, readers find the old pair.
                let new = self.push(spare.take()?);
                self.vacate(slot);
                Some((new, None))
            }
            Spot::Linked(link, old) => {
                let mut new = spare.take()?;
                // SAFETY: under the lock, pairs that links lead to are not retired.
                let next = unsafe { old.as_ref() }.next.load(Ordering::Relaxed);
                new.next = AtomicPtr::new(next);
                let new = NonNull::from(Box::leak(new));
                // Release: who finds the pair sees what is in it.
                link.store(new.as_ptr(), Ordering::Release);
                Some((Outside::node(new), Some(old)))
            }
        }
    }

    /// Removes a pair. Returns the pair that was unlinked from the list, if any.
    #[inline]
    pub(crate) fn take_out(&mut self, old: Spot<'a>) -> Option<NonNull<Outside>> {
        match old {
            Spot::Slot(slot) => {
                self.vacate(slot);
                None
            }
            Spot::Linked(link, old) => {
                // SAFETY: under the lock, pairs that links lead to are not retired.
                let next = unsafe { old.as_ref() }.next.load(Ordering::Relaxed);
                // Release: another store may have published the pair that this link now leads to.
                link.store(next, Ordering::Release);
                Some(old)
            }
        }
    }

    /// Returns whether every slot has a pair.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        vacant(self.lock.tags).next().is_none()
    }

    /// Returns whether the bucket has no pairs.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock.tags == 0
    }
}
