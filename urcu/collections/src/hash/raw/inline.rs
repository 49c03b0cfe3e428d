//! Changing a map whose pairs lie in the buckets.
//!
//! The types are known ([`plain`](crate::hash::plain)) and run no user code. So keys are compared under the lock,
//! and nothing has to be checked again.

use core::ptr::NonNull;

use urcu::Domain;

use super::{Hashes, RawMap};
use crate::hash::bucket::{Node, tag};
use crate::hash::pairs::{LockedPairs, Outside};
use crate::hash::table::TableRef;
use crate::reclaim;

/// A pair that is to be published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) hash: u64,
    pub(crate) words: [u64; 2],
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
        let (table, _, header) = self.live::<true>(hash);
        // SAFETY: a map with pairs in its buckets has tables of pairs.
        unsafe { table.pairs(hash) }.find(header, tag(hash), is)
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
        self.take_part(hashes, domain);
        let mut spare: Option<Box<Outside>> = None;
        loop {
            let (table, mut locked) = self.lock_pairs(new.hash, hashes);
            if table.is_static() {
                drop(locked);
                self.first_table(domain);
                continue;
            }
            if locked.seek(new.words[0], self.kind).is_some() {
                return None;
            }
            let is_full = locked.is_full();
            let Some(node) = locked.add(new.words, tag(new.hash), &mut spare, domain) else {
                // Not under the lock, because the allocator may be user code.
                drop(locked);
                reclaim::prepare(domain);
                spare = Some(Outside::new(new.words));
                continue;
            };
            drop(locked);
            self.count.add(1);
            if is_full {
                self.grow_if_full(table, hashes, domain);
            }
            return Some(node);
        }
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
        let mut spare: Option<Box<Outside>> = None;
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
            reclaim::prepare(domain);
            spare = Some(Outside::new(new.words));
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

#[inline]
fn retire(unlinked: Option<NonNull<Outside>>, domain: &Domain) {
    if let Some(outside) = unlinked {
        // SAFETY: the pair is from a box and has no destructor. We have unlinked it under the lock, so nobody else
        // has.
        unsafe { reclaim::retire_memory(domain, outside) };
    }
}
