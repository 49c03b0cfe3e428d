//! Tables of buckets.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};

use super::bucket::{Bucket, Node};
use super::kind::Kind;
use super::pairs::{Outside, Pairs};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// The head of a table, one cache line, behind which the buckets lie.
///
/// The restartable lookup relies on `mask` being the first word, and on the buckets' place.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Table {
    /// `(number of buckets - 1) * size of a bucket`: a mask of offsets.
    mask: usize,
    /// The address that the allocator gave. Null: the table is a static.
    memory: *mut u8,
    /// The table that takes this one's place, while and after the contents are moved.
    pub(crate) next: AtomicPtr<Table>,
    /// The number of groups of buckets that somebody has begun to move.
    pub(crate) claimed: AtomicUsize,
    /// The number of groups, counted from the first, that are certain to have been moved.
    pub(crate) verified: AtomicUsize,
    /// How entries lie in it.
    kind: Kind,
}

/// To which buckets are aligned: two lines, which are fetched together where processors do such things.
const ALIGN: usize = 128;

/// How large the large pages of most processors are, and a multiple of all small ones.
#[cfg(all(target_os = "linux", not(miri)))]
const PAGE: usize = 2 << 20;
/// How large a table is that is worth asking for them.
#[cfg(all(target_os = "linux", not(miri)))]
const WORTH: usize = 4 * PAGE;

const LINE: usize = 64;
const _: () = assert!(size_of::<Table>() == LINE && size_of::<Bucket>() == LINE);
const _: () = assert!(size_of::<Pairs>() == 2 * LINE && size_of::<Outside>() == 24);

/// Returns how many bytes a bucket has: of pairs, or of addresses.
const fn bucket_size(inline: bool) -> usize {
    if inline {
        size_of::<Pairs>()
    } else {
        size_of::<Bucket>()
    }
}

// SAFETY: `memory` is only used by who owns the table.
unsafe impl Send for Table {}
// SAFETY: `memory` is only used by who owns the table; the rest is atomic, or never changes.
unsafe impl Sync for Table {}

/// The table of a map without one, so that readers need not ask. Never written to.
#[repr(C, align(128))]
struct Empty {
    unused: [u64; 8],
    table: Table,
    /// Of both kinds.
    bucket: Pairs,
}

static EMPTY: Empty = Empty {
    unused: [0; 8],
    table: Table {
        mask: 0,
        memory: ptr::null_mut(),
        next: AtomicPtr::new(ptr::null_mut()),
        claimed: AtomicUsize::new(0),
        verified: AtomicUsize::new(0),
        kind: Kind::APART,
    },
    bucket: Pairs::new(),
};

impl Table {
    /// Returns the table of maps that never had anything in them.
    pub(crate) fn empty() -> NonNull<Table> {
        // Of the whole, because the bucket behind it is reached through this pointer.
        // SAFETY: a field of it.
        unsafe {
            NonNull::from(&EMPTY)
                .byte_add(core::mem::offset_of!(Empty, table))
                .cast()
        }
    }

    fn layout(buckets: usize, kind: Kind) -> Layout {
        // Not of the alignment that is needed: allocators clear memory of a larger alignment
        // themselves, where they could ask the kernel for memory that is clear.
        buckets
            .checked_mul(bucket_size(kind.is_inline()))
            .and_then(|bytes| bytes.checked_add(LINE + ALIGN))
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u128>()).ok())
            .expect("the capacity of a hash map overflowed")
    }

    /// Checks that such a table can be asked for.
    ///
    /// # Panics
    /// If it would be larger than an address space.
    pub(crate) fn check(buckets: usize, kind: Kind) {
        Table::layout(buckets, kind);
    }

    /// Makes a table of empty buckets, whose number is a power of two.
    ///
    /// # Panics
    /// If the number is too large for an address space.
    pub(crate) fn allocate(buckets: usize, kind: Kind) -> NonNull<Table> {
        debug_assert!(buckets.is_power_of_two());
        let layout = Table::layout(buckets, kind);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        huge_pages(memory, layout.size());
        // The first bucket is aligned, and the head lies before it.
        let first = (memory.addr() + LINE).next_multiple_of(ALIGN) - memory.addr();
        // SAFETY: the layout has as much more than is used, so the head, a line before the first bucket, and
        // the whole table behind it lie within.
        let table = unsafe { memory.add(first - LINE) }.cast::<Table>();
        // SAFETY: aligned now, within the allocation, and nobody else's. Buckets may be zero.
        unsafe {
            table.write(Table {
                mask: (buckets - 1) * bucket_size(kind.is_inline()),
                memory,
                next: AtomicPtr::new(ptr::null_mut()),
                claimed: AtomicUsize::new(0),
                verified: AtomicUsize::new(0),
                kind,
            });
            NonNull::new_unchecked(table)
        }
    }

    /// Frees a table and its overflow buckets, and pairs that lie outside; but no entries that lie apart.
    ///
    /// # Safety
    /// The table is from [`Table::allocate`], or [`Table::empty`], and nobody uses it or its buckets any
    /// more.
    pub(crate) unsafe fn free(table: NonNull<Table>) {
        // SAFETY: nobody else uses it; overflow buckets are boxes that one link each owns.
        unsafe {
            let this = TableRef::new(table);
            if this.is_static() {
                return;
            }
            for index in 0..this.buckets() {
                if this.kind.is_inline() {
                    this.pairs(index as u64).free_outside();
                    continue;
                }
                let mut next = this.bucket_at(index).next.load(Ordering::Relaxed);
                while !next.is_null() {
                    let bucket = Box::from_raw(next);
                    next = bucket.next.load(Ordering::Relaxed);
                }
            }
            let (memory, layout) = (this.memory, Table::layout(this.buckets(), this.kind));
            dealloc(memory, layout);
        }
    }

    /// Returns whether this is [`Table::empty`].
    #[inline]
    pub(crate) fn is_static(&self) -> bool {
        self.memory.is_null()
    }

    /// Returns how entries lie in it. The static one has none.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns how many buckets there are, without overflow buckets.
    #[inline(always)]
    pub(crate) fn buckets(&self) -> usize {
        self.mask / self.bucket_size() + 1
    }

    #[inline]
    fn bucket_size(&self) -> usize {
        bucket_size(self.kind.is_inline())
    }

    /// Returns how many bytes it takes, without overflow buckets.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_static() {
            0
        } else {
            Table::layout(self.buckets(), self.kind).size()
        }
    }
}

/// Asks the kernel for large pages behind a large table: a lookup in one of small pages has to wait for the
/// address of nearly every bucket to be translated.
fn huge_pages(memory: *mut u8, bytes: usize) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if bytes >= WORTH {
        let first = memory.align_offset(PAGE);
        let whole = bytes.saturating_sub(first) / PAGE * PAGE;
        // SAFETY: a hint about pages that lie within an allocation of ours; it changes nothing of what is in
        // them. A kernel that does not know it refuses, which does not matter.
        unsafe {
            libc::madvise(
                memory.wrapping_add(first).cast(),
                whole,
                libc::MADV_HUGEPAGE,
            )
        };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (memory, bytes);
}

/// A table that is not freed within `'a`. Not a reference, because the buckets lie behind the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableRef<'a> {
    head: NonNull<Table>,
    lives: PhantomData<&'a Table>,
}

// SAFETY: as a reference to a table, which is `Sync`.
unsafe impl Send for TableRef<'_> {}
// SAFETY: as a reference to a table, which is `Sync`.
unsafe impl Sync for TableRef<'_> {}

impl Deref for TableRef<'_> {
    type Target = Table;

    #[inline(always)]
    fn deref(&self) -> &Table {
        // SAFETY: by `new`.
        unsafe { self.head.as_ref() }
    }
}

impl<'a> TableRef<'a> {
    /// # Safety
    /// The table is from [`Table::allocate`] or [`Table::empty`], and is not freed within `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(head: NonNull<Table>) -> Self {
        TableRef {
            head,
            lives: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut Table {
        self.head.as_ptr()
    }

    /// Returns the bucket of a hash.
    #[inline(always)]
    pub(crate) fn bucket<const INLINE: bool>(self, hash: u64) -> &'a Bucket {
        debug_assert!(self.is_static() || self.kind.is_inline() == INLINE);
        // SAFETY: the table is of buckets of this size.
        unsafe { self.at(hash, bucket_size(INLINE)).cast().as_ref() }
    }

    /// # Safety
    /// It is the size of the table's buckets, or the table is static.
    #[inline(always)]
    unsafe fn at(self, hash: u64, size: usize) -> NonNull<u8> {
        let offset = (hash as usize).wrapping_mul(size) & self.mask;
        // SAFETY: the offset is at most `mask`, so it is that of a bucket behind the head, in the same
        // allocation, whose pointer this is; and buckets live as long as the head.
        unsafe { self.head.add(1).byte_add(offset).cast() }
    }

    /// Returns a bucket by its number, which is taken modulo the number of buckets.
    #[inline]
    pub(crate) fn bucket_at(self, index: usize) -> &'a Bucket {
        // SAFETY: of whatever size they are, they begin as a `Bucket` does, and have as many bytes.
        unsafe { self.at(index as u64, self.bucket_size()).cast().as_ref() }
    }

    /// Returns a bucket by its number, as what it is.
    #[inline]
    pub(crate) fn any_at(self, index: usize) -> AnyBucket<'a> {
        AnyBucket {
            bucket: self.bucket_at(index),
            // SAFETY: a table of them.
            pairs: (self.kind.is_inline()).then(|| unsafe { self.pairs(index as u64) }),
        }
    }

    /// Returns the bucket of pairs of a hash. The table may be the static one: then there are no tags in it, and
    /// nothing in the list; it must not be written to.
    ///
    /// # Safety
    /// A table of pairs, or the static one.
    #[inline(always)]
    pub(crate) unsafe fn pairs(self, hash: u64) -> &'a Pairs {
        debug_assert!(self.is_static() || self.kind.is_inline());
        // SAFETY: a table of them; the static one has as much room.
        unsafe { self.at(hash, size_of::<Pairs>()).cast().as_ref() }
    }
}

/// A bucket of one kind or the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyBucket<'a> {
    /// What all begin with.
    pub(crate) bucket: &'a Bucket,
    /// What it is, if pairs lie in it.
    pub(crate) pairs: Option<&'a Pairs>,
}

impl<'a> AnyBucket<'a> {
    /// Returns all entries.
    pub(crate) fn nodes(self) -> impl Iterator<Item = NonNull<Node>> + 'a {
        let apart = self.pairs.is_none().then(|| self.bucket.nodes());
        let inline = self.pairs.map(Pairs::nodes);
        let inline = inline.into_iter().flatten();
        apart.into_iter().flatten().chain(inline)
    }
}
