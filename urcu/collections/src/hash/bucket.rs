//! Buckets: one cache line of tags and pointers, with a lock for writers.
//!
//! # The header
//! | bits | |
//! |---|---|
//! | 0 | [`LOCK`]: a writer is changing the bucket or its overflow buckets; readers ignore it |
//! | 1 | [`MOVED`]: the entries are in the next table; the bucket does not change any more |
//! | 2..16 | the fork generation of the process that holds the lock, or held it last |
//! | 16..64 | six tags: for each slot one byte of its entry's hash, never 0 or 1; 0 for an empty slot |
//!
//! # What a reader may rely on
//! A slot's word decides: it is the address of the entry, or null. The tags are hints that never miss an entry: a
//! tag is stored before its slot is filled, and cleared after the slot was emptied. So a reader that sees a header
//! without a key's tag may conclude that at some moment of its lookup the key was not in that bucket. Each change
//! of a key is **one** store, to its slot.

use core::ptr::{self, NonNull};

use crate::fork;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, const_fn, pause};

/// The beginning of every entry, and all that this module knows of entries.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node {
    pub(crate) hash: u64,
}

pub(crate) const SLOTS: usize = 6;

pub(crate) const LOCK: u64 = 1;
pub(crate) const MOVED: u64 = 2;
const GENERATION: u32 = 2;
const TAGS: u64 = !0xffff;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_0000;

/// Returns the tag of a hash: its high bits, because the low ones choose the bucket. A tag is never 1, which
/// [`matches`] could not tell from an empty slot.
#[inline(always)]
pub(crate) fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(2)
}

/// Returns a mask with a bit in each byte of `header` that equals the tag. Other bytes may have a bit, too.
#[inline(always)]
pub(crate) fn matches(header: u64, tag: u8) -> u64 {
    let difference = header ^ (u64::from(tag) * ONES);
    difference.wrapping_sub(ONES) & !difference & HIGH
}

/// Returns the slot of the lowest bit of a mask from [`matches`].
#[inline(always)]
pub(crate) fn slot_of(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize - 2
}

/// Returns the header with a slot's tag replaced; 0 clears the tag.
#[inline(always)]
pub(crate) fn with_tag(header: u64, slot: usize, tag: u8) -> u64 {
    let shift = 16 + 8 * slot;
    header & !(0xff << shift) | u64::from(tag) << shift
}

/// One cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    pub(crate) header: AtomicU64,
    pub(crate) slots: [AtomicPtr<Node>; SLOTS],
    /// An overflow bucket. It is never removed while its table lives.
    pub(crate) next: AtomicPtr<Bucket>,
}

/// Why a bucket was not locked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Moved,
    /// Another thread holds the lock, and the caller did not want to wait.
    Busy,
    /// The holder of the lock was lost in a fork, and the caller did not want to take the lock over.
    Left,
}

const_fn! {
    fn null() -> AtomicPtr<Node> {
        AtomicPtr::new(ptr::null_mut())
    }
}

impl Bucket {
    const_fn! {
        pub(crate) fn new() -> Self {
            Bucket {
                header: AtomicU64::new(0),
                slots: [null(), null(), null(), null(), null(), null()],
                next: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Returns the overflow bucket, if there is one.
    #[inline(always)]
    pub(crate) fn overflow(&self) -> Option<&Bucket> {
        // Acquire: pairs with the release in `Locked::append`.
        // SAFETY: overflow buckets are freed together with their table, after a grace period. `self` is a part of
        // that table, and valid.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    /// Returns this bucket and its overflow buckets.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Bucket> {
        core::iter::successors(Some(self), |bucket| bucket.overflow())
    }

    /// Returns the entries of this bucket and its overflow buckets.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NonNull<Node>> {
        self.chain().flat_map(|bucket| {
            bucket
                .slots
                .iter()
                .filter_map(|slot| NonNull::new(slot.load(Ordering::Acquire)))
        })
    }

    /// Returns whether the bucket's contents are in the next table.
    #[inline(always)]
    pub(crate) fn is_moved(&self) -> bool {
        // Acquire: pairs with `Locked::move_away`, after which the next table's buckets are filled.
        self.header.load(Ordering::Acquire) & MOVED != 0
    }

    /// Locks the bucket and its overflow buckets against other writers. Waits only if asked to.
    ///
    /// In a forked child, the lock of a thread of the parent process has no holder any more. The bucket is
    /// consistent after every single store. But the thread may have been about to mark a group of buckets as moved,
    /// and then the buckets without a mark must not be changed. So such a lock is taken over only if the caller
    /// asks for it.
    #[inline(always)]
    pub(crate) fn lock(&self, wait: bool, take_over: bool) -> Result<Locked<'_>, Refused> {
        let generation = u64::from(fork::generation()) << GENERATION;
        let mut turns = 0u32;
        loop {
            let seen = self.header.load(Ordering::Relaxed);
            if seen & MOVED != 0 {
                // Acquire, as in `is_moved`: the caller reads the next table after this. The mark stays, so this is a
                // fence, but one that ThreadSanitizer understands.
                self.header.load(Ordering::Acquire);
                return Err(Refused::Moved);
            }
            let held = seen & LOCK != 0 && (seen & !TAGS & !(LOCK | MOVED)) == generation;
            if held {
                if !wait {
                    return Err(Refused::Busy);
                }
                pause(&mut turns);
                continue;
            }
            if seen & LOCK != 0 && !take_over {
                return Err(Refused::Left);
            }
            let tags = seen & TAGS;
            // Acquire: pairs with the release in `Locked::drop`, so that we see what the last holder did.
            if self
                .header
                .compare_exchange_weak(
                    seen,
                    tags | LOCK | generation,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                )
                .is_ok()
            {
                return Ok(Locked {
                    bucket: self,
                    generation,
                    tags,
                    before: seen & !TAGS,
                });
            }
        }
    }

    /// Inserts an entry into a bucket that nobody else sees yet. Returns false if there is no room.
    pub(crate) fn put_unseen(&self, node: NonNull<Node>, tag: u8) -> bool {
        for (number, slot) in self.slots.iter().enumerate() {
            if slot.load(Ordering::Relaxed).is_null() {
                let header = self.header.load(Ordering::Relaxed);
                self.header
                    .store(with_tag(header, number, tag), Ordering::Relaxed);
                slot.store(node.as_ptr(), Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// Empties a bucket that nobody else sees yet.
    pub(crate) fn clear_unseen(&self) {
        self.header.store(0, Ordering::Relaxed);
        for slot in &self.slots {
            slot.store(ptr::null_mut(), Ordering::Relaxed);
        }
        self.next.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// A locked bucket. No user code runs while it exists.
///
/// All fields are words, because a struct with padding is copied in pieces, and the processor stalls when a word is
/// loaded that was stored in pieces.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    pub(crate) bucket: &'a Bucket,
    generation: u64,
    /// The tags that the bucket itself will have.
    pub(super) tags: u64,
    /// The flags of the header before it was locked.
    before: u64,
}

impl<'a> Locked<'a> {
    /// Returns whether the previous holder was lost in a fork, in the middle of a change.
    #[inline(always)]
    pub(super) fn was_lost(&self) -> bool {
        self.before & LOCK != 0
    }

    /// Returns whether the previous holder belonged to this process.
    #[inline(always)]
    pub(super) fn is_ours(&self) -> bool {
        self.before & !LOCK == self.generation
    }

    /// Notes that what the previous holder, of another process, has left behind is now this process's.
    pub(super) fn adopt(&mut self) {
        self.before = self.generation;
    }

    /// Returns the tags of a bucket of the chain.
    #[inline]
    pub(crate) fn tags(&self, bucket: &Bucket) -> u64 {
        if ptr::eq(bucket, self.bucket) {
            self.tags
        } else {
            bucket.header.load(Ordering::Relaxed)
        }
    }

    #[inline]
    fn set_tag(&mut self, bucket: &Bucket, slot: usize, tag: u8) {
        let tags = with_tag(self.tags(bucket), slot, tag);
        let flags = if ptr::eq(bucket, self.bucket) {
            self.tags = tags;
            LOCK | self.generation
        } else {
            0
        };
        // Release: pairs with the readers' acquire of the header. A reader that misses the tag also sees that the
        // slot was emptied before.
        bucket.header.store(tags | flags, Ordering::Release);
    }

    /// Publishes other tags.
    #[inline]
    pub(super) fn set_tags(&mut self, tags: u64) {
        self.tags = tags;
        let header = tags | LOCK | self.generation;
        // Release: a reader that finds a tag sees the content of its slot. A reader that does not find a tag any
        // more sees the pair in the list that has replaced it.
        self.bucket.header.store(header, Ordering::Release);
    }

    /// Fills a slot that is empty.
    #[inline]
    pub(crate) fn fill(&mut self, bucket: &'a Bucket, slot: usize, node: NonNull<Node>, tag: u8) {
        self.set_tag(bucket, slot, tag);
        // Release: who finds the entry sees what is in it, and the tag.
        bucket.slots[slot].store(node.as_ptr(), Ordering::Release);
    }

    /// Empties a slot.
    #[inline]
    pub(crate) fn empty(&mut self, bucket: &'a Bucket, slot: usize) {
        // Release: who finds nothing there sees what was done before. The tag's release comes after it.
        bucket.slots[slot].store(ptr::null_mut(), Ordering::Release);
        self.set_tag(bucket, slot, 0);
    }

    /// Puts another entry into a slot, with the same hash.
    #[inline]
    pub(crate) fn replace(&mut self, bucket: &'a Bucket, slot: usize, node: NonNull<Node>) {
        // Release: who finds the entry sees what is in it.
        bucket.slots[slot].store(node.as_ptr(), Ordering::Release);
    }

    /// Links an overflow bucket behind the last one.
    pub(crate) fn append(&mut self, last: &'a Bucket, bucket: Box<Bucket>) {
        // Release: who finds the bucket sees what is in it.
        last.next.store(Box::into_raw(bucket), Ordering::Release);
    }

    /// Marks the entries as moved to the next table. The mark is final, and the bucket cannot be locked any more.
    pub(crate) fn move_away(self) {
        // Release: pairs with `is_moved`.
        self.bucket
            .header
            .store(self.tags | MOVED, Ordering::Release);
        core::mem::forget(self);
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with `lock`.
        self.bucket
            .header
            .store(self.tags | self.generation, Ordering::Release);
    }
}
