//! Changing a bucket of pairs.

use core::ptr::NonNull;

use urcu::Domain;

use super::stamps::{Now, UNASKED, stamp, stamp_at, with_stamp};
use super::{Outside, Pairs, ROOM, Slots, Spot, Words, tag_at};
use crate::hash::bucket::{Locked, Node, matches, slot_of, with_tag};
use crate::hash::kind::Kind;
use crate::reclaim;
use crate::sync::{AtomicPtr, Ordering};

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
        if locked.lock.was_lost() {
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
        let key = head.words[0].load(Ordering::Relaxed);
        if (0..ROOM).any(|slot| self.has(slot, key, kind)) {
            let next = head.next.load(Ordering::Relaxed);
            self.pairs.list.store(next, Ordering::Release);
        }
    }

    /// Returns whether a slot has a key.
    #[inline(always)]
    fn has(&self, slot: usize, key: u64, kind: Kind) -> bool {
        // Relaxed: the lock has acquired.
        let word = self.pairs.slots[slot][0].load(Ordering::Relaxed);
        tag_at(self.lock.tags, slot) != 0 && kind.is_same(word, key)
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
    pub(crate) fn seek(&self, key: u64, tag: u8, kind: Kind) -> Option<Spot<'a>> {
        let mut mask = matches(self.lock.tags, tag);
        while mask != 0 {
            let slot = slot_of(mask);
            mask &= mask - 1;
            if self.has(slot, key, kind) {
                return Some(Spot::Slot(slot));
            }
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

    /// Returns the pair of a place.
    #[inline]
    pub(crate) fn node_at(&self, spot: Spot<'a>) -> NonNull<Node> {
        match spot {
            Spot::Slot(slot) => self.pairs.node(slot),
            Spot::Linked(_, outside) => Outside::node(outside),
        }
    }

    /// Returns a slot that may be filled. If the caller has a spare box, because it has just seen that slots wait,
    /// it does not look again whether they still do.
    #[inline]
    fn room(&mut self, has_spare: bool, domain: &Domain) -> Option<usize> {
        let tags = self.lock.tags;
        // Relaxed, as all accesses to stamps, which happen under the lock.
        let stamps = self.pairs.stamps.load(Ordering::Relaxed);
        let free = Slots::free(tags, stamps).next();
        if free.is_some() || self.is_full() {
            return free;
        }
        let all_wait = self.lock.is_ours() && Slots::unasked(tags, stamps).next().is_none();
        if has_spare && all_wait {
            return None;
        }
        self.room_after(stamps, domain)
    }

    /// Returns a slot whose grace period is over. If there is none, notes for the emptied slots which grace period
    /// they have to wait for.
    fn room_after(&mut self, mut stamps: u64, domain: &Domain) -> Option<usize> {
        let mut vacant = Slots::vacant(self.lock.tags);
        if !self.lock.is_ours() {
            // The stamps are numbers of the parent process.
            for slot in vacant {
                stamps = with_stamp(stamps, slot, UNASKED);
            }
            self.pairs.stamps.store(stamps, Ordering::Relaxed);
            self.lock.adopt();
        }
        // If the number is not known yet, the caller prepares it without the lock, and tries again.
        let last = reclaim::last_grace_period(domain)?;
        let now = Now::of(last);
        let over = vacant.find(|&slot| now.is_after(stamp_at(stamps, slot)));
        if over.is_some() {
            return over;
        }
        let mut unasked = Slots::unasked(self.lock.tags, stamps).peekable();
        if unasked.peek().is_some() {
            // These slots were emptied before this call, by earlier holders of the lock.
            let next = stamp(reclaim::next_grace_period(domain));
            let asked = unasked.fold(stamps, |stamps, slot| with_stamp(stamps, slot, next));
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
        match self.room(spare.is_some(), domain) {
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
                if let Some(free) = self.room(spare.is_some(), domain) {
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
        Slots::vacant(self.lock.tags).next().is_none()
    }

    /// Returns whether the bucket has no pairs.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock.tags == 0
    }
}
