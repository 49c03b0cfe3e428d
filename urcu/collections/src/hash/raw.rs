//! The map without its types: finding entries, and the three stores that change a key.
//!
//! Nothing here calls a user's code but [`RawMap::find`] and [`RawMap::locate`], which hold no lock. Whoever
//! changes something first looks, without a lock, and then says under the lock what was seen: if that is
//! not so any more, nothing is changed and the caller looks again. So a key's `Eq`, a closure or a
//! destructor may panic, or use the same map.

use core::ptr::NonNull;

use urcu::Domain;

use super::bucket::{Bucket, Locked, MOVED, Node, Refused, matches, slot_of, tag};
use super::kind::Kind;
use super::seen::Seen;
use super::table::{Table, TableRef};
use crate::count::Count;
use crate::reclaim;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// The average number of entries of a bucket at which the table grows.
const FULL: usize = 4;
/// The table shrinks when it has so few: a quarter of an entry for each bucket.
const SPARSE: usize = 4;

/// The place of a key, or the places that were searched in vain.
pub(crate) enum Place {
    At(NonNull<Node>),
    Nowhere(Seen),
}

/// The hashes of a map's entries, wherever they are.
pub(crate) trait Hashes {
    /// Returns the hash of an entry that was found in the section, or under a lock.
    fn hash_of(&self, node: NonNull<Node>) -> u64;
}

#[derive(Debug)]
pub(crate) struct RawMap {
    /// Never null. The restartable lookup begins with this word.
    root: AtomicPtr<Table>,
    count: Count,
    /// Fewer buckets than this there are not again by themselves.
    least: AtomicUsize,
    /// The number of groups of buckets that a writer moves with each operation while the table is resized.
    share: usize,
    kind: Kind,
}

/// What [`RawMap::share`] is if nothing else is said.
pub(crate) const SHARE: usize = 8;

/// Returns how many buckets are good for so many entries.
fn buckets_for(entries: usize) -> usize {
    entries.div_ceil(FULL).next_power_of_two()
}

impl RawMap {
    pub(crate) fn new(capacity: usize, share: usize, kind: Kind) -> Self {
        let (root, least) = if capacity == 0 {
            (Table::empty(), 1)
        } else {
            let buckets = buckets_for(capacity);
            (Table::allocate(buckets, kind), buckets)
        };
        RawMap {
            root: AtomicPtr::new(root.as_ptr()),
            count: Count::new(),
            least: AtomicUsize::new(least),
            share,
            kind,
        }
    }

    /// Returns the table that lookups begin with. Its lifetime is the caller's section, or that in which
    /// nobody else uses the map: who calls this has one of them.
    #[inline(always)]
    pub(crate) fn root(&self) -> TableRef<'_> {
        // Acquire: pairs with the exchange in `promote` and `first_table`: the buckets are there.
        let root = self.root.load(Ordering::Acquire);
        // SAFETY: never null. What it points to is retired only after it was replaced here, and every
        // function of this type is called inside a section of the map's domain, or by who owns the map.
        unsafe { TableRef::new(NonNull::new_unchecked(root)) }
    }

    /// Returns how many entries there is room for.
    pub(crate) fn capacity(&self) -> usize {
        let root = self.root();
        if root.is_static() {
            0
        } else {
            root.buckets() * FULL
        }
    }

    /// Returns the word that holds the root's address.
    #[inline(always)]
    pub(crate) fn root_word(&self) -> *const *mut Table {
        self.root.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.sum()
    }

    /// Returns the bucket in which a hash's keys are now, and its header.
    #[inline(always)]
    pub(crate) fn live<const INLINE: bool>(&self, hash: u64) -> (TableRef<'_>, &Bucket, u64) {
        let table = self.root();
        let bucket = table.bucket::<INLINE>(hash);
        // Acquire: pairs with the stores of tags, and with `Locked::move_away`.
        let header = bucket.header.load(Ordering::Acquire);
        if header & MOVED == 0 {
            (table, bucket, header)
        } else {
            follow(table, hash)
        }
    }

    /// Finds an entry. Wait-free; writes nothing.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        hash: u64,
        mut is: impl FnMut(NonNull<Node>) -> bool,
    ) -> Option<NonNull<Node>> {
        let tag = tag(hash);
        let (_, mut bucket, mut header) = self.live::<false>(hash);
        loop {
            let mut mask = matches(header, tag);
            while mask != 0 {
                // Acquire: pairs with the release that filled the slot.
                let node = bucket.slots[slot_of(mask)].load(Ordering::Acquire);
                mask &= mask - 1;
                if let Some(node) = NonNull::new(node)
                    && is(node)
                {
                    return Some(node);
                }
            }
            bucket = bucket.overflow()?;
            header = bucket.header.load(Ordering::Acquire);
        }
    }

    /// Finds an entry, or notes what has the same hash and is not the key.
    #[inline]
    pub(crate) fn locate(&self, hash: u64, mut is: impl FnMut(NonNull<Node>) -> bool) -> Place {
        let mut seen = Seen::new();
        let found = self.find(hash, |node| {
            // SAFETY: an entry that was found in this section; the hash never changes.
            if unsafe { node.as_ref() }.hash != hash {
                return false;
            }
            let found = is(node);
            if !found {
                seen.push(node);
            }
            found
        });
        found.map_or(Place::Nowhere(seen), Place::At)
    }

    /// Locks the bucket in which a hash's keys are.
    #[inline(always)]
    fn lock<const INLINE: bool>(
        &self,
        hash: u64,
        hashes: &dyn Hashes,
    ) -> (TableRef<'_>, Locked<'_>) {
        loop {
            let (table, bucket, _) = self.live::<INLINE>(hash);
            match bucket.lock(true, false) {
                Ok(locked) => return (table, locked),
                Err(Refused::Left) => {
                    if let Some(locked) = take_over(table, bucket, hash, hashes) {
                        return (table, locked);
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Adds an entry, if nothing with its hash has been added since `seen` was noted. False: it has been;
    /// look again.
    #[inline]
    pub(crate) fn insert(
        &self,
        node: NonNull<Node>,
        seen: &Seen,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> bool {
        // SAFETY: the caller's own, not published yet.
        let hash = unsafe { node.as_ref() }.hash;
        self.take_part(hashes, domain);
        let mut spare = None;
        loop {
            let (table, mut locked) = self.lock::<false>(hash, hashes);
            if table.is_static() {
                drop(locked);
                self.first_table(domain);
                continue;
            }
            if !is_as_seen(&locked, hash, seen) {
                return false;
            }
            match room(locked.bucket) {
                Ok((bucket, slot)) => {
                    locked.fill(bucket, slot, node, tag(hash));
                    drop(locked);
                    self.count.add(1);
                    return true;
                }
                Err(last) => {
                    // Not under the lock: an allocator is somebody else's code.
                    let Some(made) = spare.take() else {
                        drop(locked);
                        spare = Some(Box::new(Bucket::new()));
                        continue;
                    };
                    let made: Box<Bucket> = made;
                    let placed = made.put_unseen(node, tag(hash));
                    debug_assert!(placed, "an empty bucket has room");
                    locked.append(last, made);
                    drop(locked);
                    self.count.add(1);
                    self.grow_if_full(table, hashes, domain);
                    return true;
                }
            }
        }
    }

    /// Puts `new`, which has the same hash, into the place of `old`. False: `old` is not there any more.
    ///
    /// Afterwards `old` is the caller's, to be retired.
    #[inline]
    pub(crate) fn replace(
        &self,
        old: NonNull<Node>,
        new: NonNull<Node>,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> bool {
        self.take_part(hashes, domain);
        // SAFETY: an entry that was found in this section.
        let hash = unsafe { old.as_ref() }.hash;
        let (_, mut locked) = self.lock::<false>(hash, hashes);
        let place = place_of(&locked, old, hash);
        if let Some((bucket, slot)) = place {
            locked.replace(bucket, slot, new);
        }
        place.is_some()
    }

    /// Removes an entry. False: it is not there any more.
    ///
    /// Afterwards it is the caller's, to be retired.
    #[inline]
    pub(crate) fn remove(&self, old: NonNull<Node>, hashes: &dyn Hashes, domain: &Domain) -> bool {
        self.take_part(hashes, domain);
        // SAFETY: an entry that was found in this section.
        let hash = unsafe { old.as_ref() }.hash;
        let (table, mut locked) = self.lock::<false>(hash, hashes);
        let Some((bucket, slot)) = place_of(&locked, old, hash) else {
            return false;
        };
        locked.empty(bucket, slot);
        let is_empty = locked.tags(locked.bucket) == 0;
        drop(locked);
        self.count.add(-1);
        self.shrink_now_and_then(is_empty, hash, table, hashes, domain);
        true
    }

    /// Called when something was removed from a bucket. Summing up is dear; a table that has become sparse
    /// has many buckets that become empty.
    #[inline]
    fn shrink_now_and_then(
        &self,
        is_empty: bool,
        hash: u64,
        table: TableRef<'_>,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) {
        if is_empty && (hash >> 40) & 31 == 0 {
            self.shrink_if_sparse(table, hashes, domain);
        }
    }

    /// Returns the map for whoever has it for itself.
    pub(crate) fn exclusive(&mut self) -> Exclusive<'_> {
        Exclusive::new(self)
    }

    /// Empties the map: entries that lie apart are the caller's.
    pub(crate) fn forget_entries(&mut self) {
        let replaced = RawMap::new(0, self.share, self.kind);
        let mut old = core::mem::replace(self, replaced);
        // SAFETY: it is not used any more.
        unsafe { old.exclusive().free_tables() };
    }

    /// The table of a map that had none.
    #[cold]
    fn first_table(&self, domain: &Domain) {
        let empty = self.root();
        if empty.is_static() {
            let first = Table::allocate(self.least.load(Ordering::Relaxed).max(2), self.kind);
            self.exchange_root(empty, first, domain);
        }
    }

    /// Makes `new` the root in the place of `old`, which is retired; or frees `new` if another was first.
    fn exchange_root(&self, old: TableRef<'_>, new: NonNull<Table>, domain: &Domain) {
        // AcqRel: who loads it finds the buckets filled; and what `promote` saw was before.
        let exchanged = self.root.compare_exchange(
            old.as_ptr(),
            new.as_ptr(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if exchanged.is_ok() {
            retire_table(old, domain);
        } else if !self.is_successor(old, new) {
            // SAFETY: allocated by the caller, and never published.
            unsafe { Table::free(new) };
        }
    }

    /// Returns whether `new` is a table that others know.
    fn is_successor(&self, old: TableRef<'_>, new: NonNull<Table>) -> bool {
        old.next.load(Ordering::Relaxed) == new.as_ptr()
    }
}

/// Follows a bucket that was moved.
#[cold]
fn follow(mut table: TableRef<'_>, hash: u64) -> (TableRef<'_>, &Bucket, u64) {
    loop {
        // The successor was stored before anything was moved to it.
        table = table
            .successor()
            .expect("a table with moved buckets has a successor");
        let bucket = table.bucket_at(hash as usize);
        let header = bucket.header.load(Ordering::Acquire);
        if header & MOVED == 0 {
            return (table, bucket, header);
        }
    }
}

fn retire_table(table: TableRef<'_>, domain: &Domain) {
    if table.is_static() {
        return;
    }
    let head = NonNull::new(table.as_ptr()).expect("a table");
    // SAFETY: it is not the root any more, and nothing else points to it but older tables, which were
    // retired before. Tables belong to no thread.
    unsafe { reclaim::retire_with(domain, head, free_table, table.bytes()) };
}

/// # Safety
/// As for [`Table::free`].
unsafe fn free_table(table: *mut Table) {
    // SAFETY: the same conditions; it is not null.
    unsafe { Table::free(NonNull::new_unchecked(table)) };
}

/// Returns whether nothing has been added with this hash but what is in `seen`.
#[inline]
fn is_as_seen(locked: &Locked<'_>, hash: u64, seen: &Seen) -> bool {
    let mut seen = seen.checker();
    entries_with(locked, hash).all(|(_, _, node)| seen.has(node))
}

/// Returns the entries that have this hash, and where they are.
#[inline]
fn entries_with<'a>(
    locked: &Locked<'a>,
    hash: u64,
) -> impl Iterator<Item = (&'a Bucket, usize, NonNull<Node>)> {
    let tag = tag(hash);
    locked.bucket.chain().flat_map(move |bucket| {
        let mut mask = matches(locked.tags(bucket), tag);
        core::iter::from_fn(move || {
            while mask != 0 {
                let slot = slot_of(mask);
                mask &= mask - 1;
                // Relaxed: under the lock, which acquired.
                if let Some(node) = NonNull::new(bucket.slots[slot].load(Ordering::Relaxed)) {
                    // SAFETY: what is in a slot under the lock is not retired.
                    if unsafe { node.as_ref() }.hash == hash {
                        return Some((bucket, slot, node));
                    }
                }
            }
            None
        })
    })
}

/// Returns where an entry is.
#[inline]
fn place_of<'a>(
    locked: &Locked<'a>,
    node: NonNull<Node>,
    hash: u64,
) -> Option<(&'a Bucket, usize)> {
    let tag = tag(hash);
    for bucket in locked.bucket.chain() {
        let mut mask = matches(locked.tags(bucket), tag);
        while mask != 0 {
            let slot = slot_of(mask);
            mask &= mask - 1;
            if bucket.slots[slot].load(Ordering::Relaxed) == node.as_ptr() {
                return Some((bucket, slot));
            }
        }
    }
    None
}

/// Returns a slot that is free, or the last bucket of the chain.
#[inline]
fn room(first: &Bucket) -> Result<(&Bucket, usize), &Bucket> {
    let mut last = first;
    for bucket in first.chain() {
        // Not by the tags: one whose writer was lost in a fork may be there without an entry.
        for (number, slot) in bucket.slots.iter().enumerate() {
            if slot.load(Ordering::Relaxed).is_null() {
                return Ok((bucket, number));
            }
        }
        last = bucket;
    }
    Err(last)
}

mod inline;
mod resize;
pub(crate) use inline::Image;
pub(crate) use resize::Exclusive;
use resize::take_over;
