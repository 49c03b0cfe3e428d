//! Changing a map whose pairs lie in the buckets.
//!
//! The types are known ([`plain`](crate::hash::plain)) and run no user code. So keys are compared under the lock,
//! and nothing has to be checked again.

use core::ptr::NonNull;

use urcu::Domain;

use super::{Hashes, RawMap, follow};
use crate::hash::bucket::{MOVED, Node, tag};
use crate::hash::pairs::{LockedPairs, Outside, Pairs};
use crate::hash::table::TableRef;
use crate::reclaim;

/// A pair that is to be published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) hash: u64,
    pub(crate) words: [u64; 2],
}

/// The change that was made for a pair.
enum Put {
    Added(NonNull<Node>),
    /// Nothing, because its key was there.
    Found,
    Replaced {
        new: NonNull<Node>,
        old: NonNull<Node>,
    },
}

impl RawMap {
    /// Finds a pair, and writes nothing. This is wait-free, unless others keep inserting into the same bucket's
    /// list.
    #[inline(always)]
    pub(crate) fn find_inline(
        &self,
        hash: u64,
        is: impl FnMut(NonNull<Node>) -> bool,
    ) -> Option<NonNull<Node>> {
        let (_, pairs, header) = self.live_pairs(hash);
        pairs.find(header, tag(hash), is)
    }

    /// Returns the bucket that has the keys of a hash now, and its header.
    #[inline(always)]
    fn live_pairs(&self, hash: u64) -> (TableRef<'_>, &Pairs, u64) {
        let table = self.root();
        // SAFETY: a map with pairs in its buckets has tables of pairs.
        let pairs = unsafe { table.pairs(hash) };
        // Half of the pairs lie in the second cache line. Its miss and that of the header overlap.
        pairs.prefetch_rest();
        let header = pairs.header();
        if header & MOVED == 0 {
            return (table, pairs, header);
        }
        let (table, _, header) = follow(table, hash);
        // SAFETY: the next table of a map with pairs in its buckets is one of pairs, too.
        (table, unsafe { table.pairs(hash) }, header)
    }

    // Always inlined: a lock that is returned through memory is stored and loaded in pieces, which stalls the
    // processor.
    #[inline(always)]
    fn lock_pairs(&self, hash: u64, hashes: &dyn Hashes) -> (TableRef<'_>, LockedPairs<'_>) {
        let (table, lock) = self.lock::<true>(hash, hashes);
        // SAFETY: a map with pairs in its buckets has tables of pairs.
        let pairs = unsafe { table.pairs(hash) };
        (table, LockedPairs::new(lock, pairs, self.kind))
    }

    /// Adds a pair, and returns it as it is stored. Does nothing if its key is there.
    #[inline]
    pub(crate) fn insert_inline(
        &self,
        new: Image,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> Option<NonNull<Node>> {
        match self.put_pair::<false>(new, hashes, domain) {
            Put::Added(node) => Some(node),
            Put::Found => None,
            Put::Replaced { .. } => unreachable!("nothing is replaced"),
        }
    }

    /// Adds a pair, or replaces the one with its key. Returns the new pair, and the one that it has replaced, as
    /// they are stored.
    #[inline]
    pub(crate) fn upsert_inline(
        &self,
        new: Image,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> (NonNull<Node>, Option<NonNull<Node>>) {
        match self.put_pair::<true>(new, hashes, domain) {
            Put::Added(node) => (node, None),
            Put::Replaced { new, old } => (new, Some(old)),
            Put::Found => unreachable!("what is found is replaced"),
        }
    }

    #[inline(always)]
    fn put_pair<const REPLACE: bool>(
        &self,
        new: Image,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> Put {
        self.take_part(hashes, domain);
        let tag = tag(new.hash);
        let mut spare = self.spare_for(new, domain);
        loop {
            let (table, mut locked) = self.lock_pairs(new.hash, hashes);
            if table.is_static() {
                drop(locked);
                self.first_table(domain);
                continue;
            }
            if let Some(spot) = locked.seek(new.words[0], tag, self.kind) {
                if !REPLACE {
                    return Put::Found;
                }
                let old = locked.node_at(spot);
                if let Some((new, unlinked)) =
                    locked.exchange(spot, new.words, tag, &mut spare, domain)
                {
                    drop(locked);
                    retire(unlinked, domain);
                    return Put::Replaced { new, old };
                }
            } else {
                let (is_full, had_spare) = (locked.is_full(), spare.is_some());
                if let Some(node) = locked.add(new.words, tag, &mut spare, domain) {
                    drop(locked);
                    self.count.add(1);
                    // While slots wait, a bucket that is too small may never be full.
                    let is_outside = had_spare && spare.is_none();
                    if is_full || is_outside && (new.hash >> 40) & 31 == 0 {
                        self.grow_if_full(table, hashes, domain);
                    }
                    return Put::Added(node);
                }
            }
            // Not under the lock, because the allocator may be user code.
            drop(locked);
            spare = make_spare(new, domain);
        }
    }

    /// Allocates a box for a pair that will probably have to lie outside, so that the bucket need not be locked
    /// twice.
    #[inline(always)]
    fn spare_for(&self, new: Image, domain: &Domain) -> Option<Box<Outside>> {
        let (_, pairs, header) = self.live_pairs(new.hash);
        if pairs.seems_to_have_room(header, domain) {
            return None;
        }
        make_spare(new, domain)
    }

    /// Replaces `old`, which has the same key and was found in this section, and returns the new pair as it is
    /// stored. Does nothing if `old` is not there any more.
    #[inline]
    pub(crate) fn replace_inline(
        &self,
        old: NonNull<Node>,
        new: Image,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> Option<NonNull<Node>> {
        self.take_part(hashes, domain);
        let mut spare = self.spare_for(new, domain);
        loop {
            let (_, mut locked) = self.lock_pairs(new.hash, hashes);
            let spot = locked.spot_of(old)?;
            if let Some((node, unlinked)) =
                locked.exchange(spot, new.words, tag(new.hash), &mut spare, domain)
            {
                drop(locked);
                retire(unlinked, domain);
                return Some(node);
            }
            drop(locked);
            spare = make_spare(new, domain);
        }
    }

    /// Removes a pair that was found in this section. Returns false if it is not there any more.
    #[inline]
    pub(crate) fn remove_inline(
        &self,
        old: NonNull<Node>,
        hash: u64,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> bool {
        self.take_part(hashes, domain);
        let (table, mut locked) = self.lock_pairs(hash, hashes);
        let Some(spot) = locked.spot_of(old) else {
            return false;
        };
        let unlinked = locked.take_out(spot);
        let is_empty = locked.is_empty();
        drop(locked);
        retire(unlinked, domain);
        self.count.add(-1);
        self.shrink_now_and_then(is_empty, hash, table, hashes, domain);
        true
    }
}

/// Allocates a box for a pair, and prepares what the bucket needs to know of grace periods.
#[cold]
fn make_spare(new: Image, domain: &Domain) -> Option<Box<Outside>> {
    reclaim::prepare(domain);
    Some(Outside::new(new.words))
}

#[inline]
fn retire(unlinked: Option<NonNull<Outside>>, domain: &Domain) {
    if let Some(outside) = unlinked {
        // SAFETY: the pair is from a box and has no destructor. We have unlinked it under the lock, so nobody else
        // has.
        unsafe { reclaim::retire_memory(domain, outside) };
    }
}
