//! Moving to a larger or smaller table: each writer moves a few buckets.
//!
//! The low bits of a hash choose its bucket. So with half as many buckets two become one, and with twice as many
//! one becomes two. Buckets whose numbers agree in the low bits that both tables use form a *group*. A group is
//! moved as a whole, under the locks of its buckets in the old table. Nobody else reads its buckets in the new
//! table before the old ones are marked `MOVED`.
//!
//! A group's first bucket is marked last: if it is `MOVED`, all are. If the first bucket is not marked but others
//! are, and their locks can be taken over, the thread that marked them was lost in a fork. Then the new table's
//! buckets are complete and in use, and the buckets without a mark are still locked by the lost thread. A thread
//! that finds such a lock finishes the group before it changes anything in it.
//!
//! Writers claim groups with a counter. When all groups are claimed, writers check from the first group on whether
//! each was moved, and move those that were not. So nobody waits for a thread that has claimed groups and is not
//! running, and the groups of a thread that was lost in a fork are not missed.

use core::ptr::{self, NonNull};

use urcu::Domain;

use super::{Hashes, RawMap, SPARSE, buckets_for};
use crate::hash::bucket::{Bucket, Locked, Node, Refused, SLOTS, tag};
use crate::hash::kind::Kind;
use crate::hash::pairs::{LockedPairs, Outside, ROOM, words_of};
use crate::hash::raw_iter::prefetch;
use crate::hash::table::{AnyBucket, Table, TableRef};
use crate::sync::Ordering;

/// The number of groups that a writer checks when all are claimed.
const LOOK: usize = 128;
/// The number of groups whose memory is prefetched.
const MOST_ASKED: usize = 16;
/// The greatest factor by which a table shrinks at a time, and so the number of locks held at once.
const STEP: usize = 4;

/// Boxes that were allocated before the locks were taken.
#[derive(Default)]
#[allow(clippy::vec_box, reason = "a link is to own each")]
struct Spares {
    overflow: Vec<Box<Bucket>>,
    outside: Vec<Box<Outside>>,
}

impl Spares {
    /// Returns how many boxes of each kind may be needed to move a number of entries.
    fn needed(entries: usize, kind: Kind) -> (usize, usize) {
        if kind.is_inline() {
            (0, entries.saturating_sub(ROOM))
        } else {
            (entries / SLOTS, 0)
        }
    }

    fn is_short_for(&self, entries: usize, kind: Kind) -> bool {
        let (overflow, outside) = Spares::needed(entries, kind);
        self.overflow.len() < overflow || self.outside.len() < outside
    }

    fn make_for(&mut self, entries: usize, kind: Kind) {
        let (overflow, outside) = Spares::needed(entries, kind);
        self.overflow
            .resize_with(overflow, || Box::new(Bucket::new()));
        self.outside.resize_with(outside, || Outside::new([0; 2]));
    }
}

impl<'a> TableRef<'a> {
    /// Returns the next table, if this table's entries are being moved or were moved.
    #[inline(always)]
    pub(crate) fn successor(self) -> Option<TableRef<'a>> {
        // Acquire: pairs with the exchange in `RawMap::begin_resize`.
        let next = NonNull::new(self.next.load(Ordering::Acquire))?;
        // SAFETY: a table is retired before its successor. Both are freed after a grace period, or together with
        // the map. So the successor is not freed within `'a` either.
        Some(unsafe { TableRef::new(next) })
    }
}

/// Two tables: the entries of one are being moved to the other.
#[derive(Clone, Copy)]
struct Resize<'a> {
    old: TableRef<'a>,
    new: TableRef<'a>,
}

impl<'a> Resize<'a> {
    fn groups(self) -> usize {
        self.old.buckets().min(self.new.buckets())
    }

    /// Returns the buckets of a group in a table.
    fn members(
        self,
        table: TableRef<'a>,
        group: usize,
    ) -> impl Iterator<Item = AnyBucket<'a>> + use<'a> {
        let groups = self.groups();
        (0..table.buckets() / groups).map(move |number| table.any_at(group + number * groups))
    }

    /// Prefetches the memory of some groups, including each entry's hash, so that the cache misses overlap.
    fn ask_for(self, groups: core::ops::Range<usize>) {
        for group in groups.clone().take(MOST_ASKED) {
            for table in [self.old, self.new] {
                self.members(table, group).for_each(|member| {
                    prefetch(member.bucket);
                    if let Some(pairs) = member.pairs {
                        pairs.prefetch_rest();
                    }
                });
            }
        }
        if self.old.kind().is_inline() {
            return;
        }
        for bucket in groups
            .take(MOST_ASKED)
            .flat_map(|group| self.members(self.old, group))
        {
            for slot in &bucket.bucket.slots {
                // Relaxed: this is only a hint.
                prefetch(slot.load(Ordering::Relaxed));
            }
        }
    }

    /// Moves a group, unless it was moved already. Returns false if that would have to wait for another thread.
    fn move_group(self, group: usize, wait: bool, hashes: &dyn Hashes) -> bool {
        let kind = self.old.kind();
        let mut spares = Spares::default();
        loop {
            let locked = match self.lock(group, wait) {
                Ok(locked) => locked,
                Err(Refused::Moved) => return true,
                Err(Refused::Busy | Refused::Left) => return false,
            };
            if locked.is_complete {
                locked.mark();
                return true;
            }
            let entries = locked.nodes().count();
            if spares.is_short_for(entries, kind) {
                // Not under the locks, because the allocator may be user code.
                drop(locked);
                spares.make_for(entries, kind);
                continue;
            }
            if kind.is_inline() {
                self.fill_inline(group, &locked, &mut spares, hashes);
            } else {
                self.fill(group, &locked, &mut spares, hashes);
            }
            locked.mark();
            return true;
        }
    }

    fn lock_member(self, member: AnyBucket<'a>, wait: bool) -> Result<LockedMember<'a>, Refused> {
        let lock = member.bucket.lock(wait, true)?;
        Ok(match member.pairs {
            Some(pairs) => LockedMember {
                lock: LockedPairs::new(lock, pairs, self.old.kind()).into_lock(),
                member,
            },
            None => LockedMember { lock, member },
        })
    }

    fn lock(self, group: usize, wait: bool) -> Result<LockedGroup<'a>, Refused> {
        let mut members = self.members(self.old, group);
        let first = self.lock_member(members.next().expect("a group has a bucket"), wait)?;
        let mut locked = LockedGroup {
            buckets: [Some(first), None, None, None],
            is_complete: false,
        };
        for (number, bucket) in (1..).zip(members) {
            // Locks are taken in ascending order, and a thread that holds the lock of a single bucket waits for no
            // other. So there is no deadlock.
            match self.lock_member(bucket, wait) {
                Ok(bucket) => locked.buckets[number] = Some(bucket),
                Err(Refused::Moved) => locked.is_complete = true,
                Err(refused) => return Err(refused),
            }
        }
        Ok(locked)
    }

    /// Does the same as `fill` for pairs in buckets. The pairs are copied, so readers that are in the old table
    /// still find them there until it is freed, after a grace period.
    fn fill_inline(
        self,
        group: usize,
        locked: &LockedGroup<'_>,
        spares: &mut Spares,
        hashes: &dyn Hashes,
    ) {
        for bucket in self.members(self.new, group) {
            // A thread that was lost in a fork may have left entries here.
            let pairs = bucket.pairs.expect("a table of pairs");
            pairs.clear_unseen();
        }
        for node in locked.nodes() {
            let hash = hashes.hash_of(node);
            // SAFETY: the pair was found under the lock; the new table is a table of pairs.
            let (words, pairs) = unsafe { (words_of(node), self.new.pairs(hash)) };
            pairs.put_unseen(words, tag(hash), &mut spares.outside);
        }
    }

    /// Fills the new table's buckets, which nobody else reads yet.
    fn fill(
        self,
        group: usize,
        locked: &LockedGroup<'_>,
        spares: &mut Spares,
        hashes: &dyn Hashes,
    ) {
        for bucket in self.members(self.new, group) {
            // A thread that was lost in a fork may have left entries here.
            bucket.bucket.clear_unseen();
        }
        for node in locked.nodes() {
            let hash = hashes.hash_of(node);
            let mut bucket = self.new.bucket::<false>(hash);
            while !bucket.put_unseen(node, tag(hash)) {
                bucket = match bucket.overflow() {
                    Some(next) => next,
                    None => {
                        let made =
                            Box::into_raw(spares.overflow.pop().expect("as many as can be needed"));
                        bucket.next.store(made, Ordering::Relaxed);
                        // SAFETY: the bucket was just made, and is freed together with its table.
                        unsafe { &*made }
                    }
                };
            }
        }
    }
}

struct LockedMember<'a> {
    lock: Locked<'a>,
    member: AnyBucket<'a>,
}

/// The locks of a group, in the order of its buckets.
struct LockedGroup<'a> {
    buckets: [Option<LockedMember<'a>>; STEP],
    /// True if the new table has all entries of the group already.
    is_complete: bool,
}

impl LockedGroup<'_> {
    /// Marks the buckets as moved, the first one last.
    fn mark(mut self) {
        for locked in self.buckets.iter_mut().rev().filter_map(Option::take) {
            locked.lock.move_away();
        }
    }

    fn nodes(&self) -> impl Iterator<Item = NonNull<Node>> {
        self.buckets
            .iter()
            .flatten()
            .flat_map(|locked| locked.member.nodes())
    }
}

/// Locks a bucket whose lock was held by a thread that was lost in a fork. Returns `None` if the lost thread's work
/// was finished here instead; the caller then has to search again.
#[cold]
pub(super) fn take_over<'a>(
    table: TableRef<'a>,
    bucket: &'a Bucket,
    hash: u64,
    hashes: &dyn Hashes,
) -> Option<Locked<'a>> {
    let Some(new) = table.successor() else {
        return bucket.lock(true, true).ok();
    };
    let resize = Resize { old: table, new };
    resize.move_group(hash as usize & (resize.groups() - 1), true, hashes);
    None
}

impl RawMap {
    #[inline(always)]
    fn resize(&self) -> Option<Resize<'_>> {
        let old = self.root();
        old.successor().map(|new| Resize { old, new })
    }

    /// Does the caller's share of the current resize, if there is one.
    #[inline]
    pub(super) fn take_part(&self, hashes: &dyn Hashes, domain: &Domain) {
        if let Some(resize) = self.resize() {
            self.do_share(resize, hashes, domain);
        }
    }

    #[cold]
    #[inline(never)]
    fn do_share(&self, resize: Resize<'_>, hashes: &dyn Hashes, domain: &Domain) {
        let groups = resize.groups();
        let claimed = &resize.old.claimed;
        // Relaxed: the groups' locks decide who moves which group.
        let from = if claimed.load(Ordering::Relaxed) < groups {
            claimed.fetch_add(self.share, Ordering::Relaxed)
        } else {
            groups
        };
        let share = from..(from.saturating_add(self.share)).min(groups);
        resize.ask_for(share.clone());
        for group in share {
            resize.move_group(group, false, hashes);
        }
        if from.saturating_add(self.share) >= groups {
            self.look_on(resize, self.share.max(LOOK), false, hashes, domain);
        }
    }

    /// Checks further groups, and moves those that were not moved.
    fn look_on(
        &self,
        resize: Resize<'_>,
        most: usize,
        wait: bool,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) {
        let groups = resize.groups();
        let verified = &resize.old.verified;
        // Relaxed: the exchange below acquires.
        let from = verified.load(Ordering::Relaxed);
        let moved = (from..from.saturating_add(most).min(groups))
            .take_while(|&group| resize.move_group(group, wait, hashes))
            .count();
        // Acquire and release: the thread that finishes the resize thereby sees all moves that others have seen. Not
        // `fetch_max`, which ThreadSanitizer does not see.
        let further = |before: usize| Some(before.max(from + moved));
        let (Ok(before) | Err(before)) =
            verified.fetch_update(Ordering::AcqRel, Ordering::Relaxed, further);
        if before.max(from + moved) >= groups {
            let new = NonNull::new(resize.new.as_ptr()).expect("a table");
            self.exchange_root(resize.old, new, domain);
        }
    }

    /// Finishes the current resize, if there is one, and waits for other threads that take part in it.
    pub(crate) fn finish_resize(&self, hashes: &dyn Hashes, domain: &Domain) {
        while let Some(resize) = self.resize() {
            self.look_on(resize, usize::MAX, true, hashes, domain);
        }
    }

    /// Begins to move to a table with a number of buckets, unless another resize has begun.
    fn begin_resize(
        &self,
        old: TableRef<'_>,
        buckets: usize,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) {
        let is_root = self.root.load(Ordering::Relaxed) == old.as_ptr();
        if old.is_static() || !is_root || !old.next.load(Ordering::Relaxed).is_null() {
            return;
        }
        let new = Table::allocate(buckets, self.kind);
        // A table that has been the root and has no successor is still the root. AcqRel: a thread that loads the
        // successor sees its head.
        let begun = old.next.compare_exchange(
            ptr::null_mut(),
            new.as_ptr(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if begun.is_err() {
            // SAFETY: the table was never published.
            unsafe { Table::free(new) };
        }
        self.take_part(hashes, domain);
    }

    /// Called when a bucket has overflowed.
    #[cold]
    pub(super) fn grow_if_full(&self, table: TableRef<'_>, hashes: &dyn Hashes, domain: &Domain) {
        let buckets = table.buckets();
        let most = if self.kind.is_inline() {
            // A little more than a table is sized for, so that a new table is not doubled at once.
            buckets * 4 + buckets / 4
        } else {
            buckets * 4 - buckets / 2
        };
        if self.count.sum() >= most {
            self.begin_resize(table, buckets * 2, hashes, domain);
        }
    }

    /// Called sometimes when a bucket has become empty.
    #[cold]
    pub(super) fn shrink_if_sparse(
        &self,
        table: TableRef<'_>,
        hashes: &dyn Hashes,
        domain: &Domain,
    ) {
        let buckets = table.buckets();
        let least = self.least.load(Ordering::Relaxed);
        if buckets > least && self.count.sum() < buckets / SPARSE {
            self.begin_resize(table, (buckets / STEP).max(least), hashes, domain);
        }
    }

    /// Makes room for a number of entries in all, and waits until the map is resized.
    pub(crate) fn reserve(&self, entries: usize, hashes: &dyn Hashes, domain: &Domain) {
        let buckets = buckets_for(entries);
        // Checked first, so that a request that cannot be fulfilled is not remembered.
        Table::check(buckets, self.kind);
        self.least.fetch_max(buckets, Ordering::Relaxed);
        if self.root().is_static() {
            self.first_table(domain);
        }
        loop {
            self.finish_resize(hashes, domain);
            let table = self.root();
            if table.buckets() >= buckets {
                return;
            }
            self.begin_resize(table, buckets, hashes, domain);
        }
    }

    /// Frees the memory that the current entries do not need, including overflow buckets.
    pub(crate) fn shrink_to(&self, entries: usize, hashes: &dyn Hashes, domain: &Domain) {
        // This never grows the table.
        let least = buckets_for(entries).min(self.root().buckets());
        self.least.store(least, Ordering::Relaxed);
        loop {
            self.finish_resize(hashes, domain);
            let table = self.root();
            let buckets = buckets_for(self.len().max(entries)).min(table.buckets());
            // Some pairs are outside even in a table of the right size.
            let chained = || {
                !self.kind.is_inline()
                    && (0..table.buckets()).any(|index| table.bucket_at(index).overflow().is_some())
            };
            if table.is_static() || buckets == table.buckets() && !chained() {
                return;
            }
            let step = buckets.max(table.buckets() / STEP);
            self.begin_resize(table, step, hashes, domain);
            self.finish_resize(hashes, domain);
            if step == buckets {
                return;
            }
        }
    }

    /// Returns how many bytes the tables take, with overflow buckets and pairs outside.
    pub(crate) fn table_bytes(&self) -> usize {
        let root = self.root();
        core::iter::successors(Some(root), |table| table.successor())
            .map(|table| {
                let buckets = (0..table.buckets()).map(|index| table.any_at(index));
                let chained = buckets.map(|bucket| match bucket.pairs {
                    Some(pairs) => pairs.outside().count() * size_of::<Outside>(),
                    None => (bucket.bucket.chain().count() - 1) * size_of::<Bucket>(),
                });
                table.bytes() + chained.sum::<usize>()
            })
            .sum()
    }
}

/// A map that nobody else uses.
#[derive(Debug)]
pub(crate) struct Exclusive<'a> {
    map: &'a RawMap,
}

impl<'a> Exclusive<'a> {
    pub(crate) fn new(map: &'a mut RawMap) -> Self {
        Exclusive { map }
    }

    /// Returns all entries, once each.
    pub(crate) fn nodes(self) -> impl Iterator<Item = NonNull<Node>> + use<'a> {
        self.buckets().flat_map(AnyBucket::nodes)
    }

    /// Returns the buckets that have the entries: the new table's for a group that was moved, otherwise the old
    /// one's.
    fn buckets(self) -> impl Iterator<Item = AnyBucket<'a>> {
        let old = self.map.root();
        // Only the root's entries are moved, so the next table is the last one.
        let resize = Resize {
            old,
            new: old.successor().unwrap_or(old),
        };
        (0..resize.groups()).flat_map(move |group| {
            let is_moved = resize
                .members(old, group)
                .any(|member| member.bucket.is_moved());
            resize.members(if is_moved { resize.new } else { old }, group)
        })
    }

    /// Frees the tables, but not the entries that are allocated one by one.
    ///
    /// # Safety
    /// The map is not used any more.
    pub(crate) unsafe fn free_tables(self) {
        let old = self.map.root();
        let (new, old) = (old.next.load(Ordering::Relaxed), old.as_ptr());
        for table in [old, new].into_iter().filter_map(NonNull::new) {
            // SAFETY: nobody uses the tables. Those that were the root before are retired already.
            unsafe { Table::free(table) };
        }
    }
}
