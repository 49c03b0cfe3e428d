//! The map without its types: finding entries, and the three stores that change a key.
//!
//! Only [`RawMap::find`] and [`RawMap::locate`] call user code, and they hold no lock. A writer first searches
//! without a lock. Then it takes the lock and checks that what it saw is still so; if not, it changes nothing, and
//! the caller searches again. So a key's `Eq`, a closure or a destructor may panic, or use the same map.

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
/// The table shrinks when it has fewer than one entry for this many buckets.
const SPARSE: usize = 4;

/// The place of a key, or what a search in vain has seen.
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
    /// The current table. Never null; the restartable lookup begins with this word.
    root: AtomicPtr<Table>,
    count: Count,
    /// The table does not shrink by itself to fewer buckets than this.
    least: AtomicUsize,
    /// The number of groups of buckets that a writer moves with each operation while the table is resized.
    share: usize,
    kind: Kind,
}

/// The default of [`RawMap::share`].
pub(crate) const SHARE: usize = 8;

/// Returns how many buckets are appropriate for a number of entries.
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

    /// Returns the table with which lookups begin. Callers are inside a section, or own the map, and use the table
    /// no longer than that.
    #[inline(always)]
    pub(crate) fn root(&self) -> TableRef<'_> {
        // Acquire: pairs with the exchange in `promote` and `first_table`, so that the buckets are initialized.
        let root = self.root.load(Ordering::Acquire);
        // SAFETY: never null. A table is retired only after it was replaced here, and every function of this type
        // is called inside a section of the map's domain, or by the owner of the map.
        unsafe { TableRef::new(NonNull::new_unchecked(root)) }
    }

    /// Returns for how many entries the table has room.
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

    /// Returns the bucket that has the keys of a hash now, and its header.
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

    /// Finds an entry. This is wait-free and writes nothing.
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

    /// Finds an entry, or notes the entries that have the same hash and another key.
    #[inline]
    pub(crate) fn locate(&self, hash: u64, mut is: impl FnMut(NonNull<Node>) -> bool) -> Place {
        let mut seen = Seen::new();
        let found = self.find(hash, |node| {
            // SAFETY: the entry was found in this section; its hash never changes.
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

    /// Locks the bucket that has the keys of a hash.
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

    /// Adds an entry, unless another one with its hash has been added since `seen` was noted. Then returns false,
    /// and the caller has to search again.
    #[inline]
    pub(crate) fn insert(
        &self,
        node: NonNull<Node>,
        seen: &Seen,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> bool {
        // SAFETY: the caller owns the entry, which is not published yet.
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
                    // Not under the lock, because the allocator may be user code.
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

    /// Replaces `old` by `new`, which has the same hash. Returns false if `old` is not there any more.
    ///
    /// On success the caller owns `old` and has to retire it.
    #[inline]
    pub(crate) fn replace(
        &self,
        old: NonNull<Node>,
        new: NonNull<Node>,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) -> bool {
        self.take_part(hashes, domain);
        // SAFETY: the entry was found in this section.
        let hash = unsafe { old.as_ref() }.hash;
        let (_, mut locked) = self.lock::<false>(hash, hashes);
        let place = place_of(&locked, old, hash);
        if let Some((bucket, slot)) = place {
            locked.replace(bucket, slot, new);
        }
        place.is_some()
    }

    /// Removes an entry. Returns false if it is not there any more.
    ///
    /// On success the caller owns the entry and has to retire it.
    #[inline]
    pub(crate) fn remove(&self, old: NonNull<Node>, hashes: &dyn Hashes, domain: &Domain) -> bool {
        self.take_part(hashes, domain);
        // SAFETY: the entry was found in this section.
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

    /// Called when an entry was removed from a bucket. Counting all entries is expensive, so it is done only when
    /// buckets become empty, as many do in a sparse table.
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

    /// Returns the map for a caller that has exclusive access.
    pub(crate) fn exclusive(&mut self) -> Exclusive<'_> {
        Exclusive::new(self)
    }

    /// Empties the map. The caller has to free the entries that are allocated one by one.
    pub(crate) fn forget_entries(&mut self) {
        let replaced = RawMap::new(0, self.share, self.kind);
        let mut old = core::mem::replace(self, replaced);
        // SAFETY: the old map is not used any more.
        unsafe { old.exclusive().free_tables() };
    }

    /// Makes the first table of a map.
    #[cold]
    fn first_table(&self, domain: &Domain) {
        let empty = self.root();
        if empty.is_static() {
            let first = Table::allocate(self.least.load(Ordering::Relaxed).max(2), self.kind);
            self.exchange_root(empty, first, domain);
        }
    }

    /// Replaces the root `old` by `new`, and retires `old`. Frees `new` if another thread was first.
    fn exchange_root(&self, old: TableRef<'_>, new: NonNull<Table>, domain: &Domain) {
        // Release: a thread that loads the root finds the buckets filled. Acquire: what `promote` has seen comes
        // before.
        let exchanged = self.root.compare_exchange(
            old.as_ptr(),
            new.as_ptr(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if exchanged.is_ok() {
            retire_table(old, domain);
        } else if !self.is_successor(old, new) {
            // SAFETY: the caller has allocated the table, and it was never published.
            unsafe { Table::free(new) };
        }
    }

    /// Returns whether `new` is the published successor of `old`.
    fn is_successor(&self, old: TableRef<'_>, new: NonNull<Table>) -> bool {
        old.next.load(Ordering::Relaxed) == new.as_ptr()
    }
}

/// Follows a bucket that was moved.
#[cold]
fn follow(mut table: TableRef<'_>, hash: u64) -> (TableRef<'_>, &Bucket, u64) {
    loop {
        // The successor was stored before any bucket was moved.
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
    // SAFETY: the table is not the root any more, and only older tables, which were retired before, still point to
    // it. Any thread may free tables.
    unsafe { reclaim::retire_with(domain, head, free_table, table.bytes()) };
}

/// # Safety
/// As for [`Table::free`].
unsafe fn free_table(table: *mut Table) {
    // SAFETY: the caller promises the same; the address is not null.
    unsafe { Table::free(NonNull::new_unchecked(table)) };
}

/// Returns whether all entries with this hash are in `seen`.
#[inline]
fn is_as_seen(locked: &Locked<'_>, hash: u64, seen: &Seen) -> bool {
    let mut seen = seen.checker();
    entries_with(locked, hash).all(|(_, _, node)| seen.has(node))
}

/// Returns the entries that have this hash, and their places.
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
                // Relaxed: the lock has acquired.
                if let Some(node) = NonNull::new(bucket.slots[slot].load(Ordering::Relaxed)) {
                    // SAFETY: under the lock, entries in slots are not retired.
                    if unsafe { node.as_ref() }.hash == hash {
                        return Some((bucket, slot, node));
                    }
                }
            }
            None
        })
    })
}

/// Returns the place of an entry.
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

/// Returns a free slot, or the last bucket of the chain.
#[inline]
fn room(first: &Bucket) -> Result<(&Bucket, usize), &Bucket> {
    let mut last = first;
    for bucket in first.chain() {
        // Looks at the slots, not at the tags: if a writer was lost in a fork, a tag may be there without an entry.
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
