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

/// The head of a table: one cache line. The buckets follow it.
///
/// The restartable lookup relies on `mask` being the first word, and on the place of the buckets.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Table {
    /// `(number of buckets - 1) * size of a bucket`: a mask of offsets.
    mask: usize,
    /// The address that the allocator returned; null if the table is a static.
    memory: *mut u8,
    /// The table that replaces this one, while and after the entries are moved.
    pub(crate) next: AtomicPtr<Table>,
    /// The number of groups of buckets that writers have claimed.
    pub(crate) claimed: AtomicUsize,
    /// The number of groups, counted from the first, that are certain to have been moved.
    pub(crate) verified: AtomicUsize,
    /// The layout of the entries.
    kind: Kind,
}

/// The alignment of buckets: two cache lines, which many processors fetch together.
const ALIGN: usize = 128;

/// The size of large pages on most processors, and a multiple of the size of small ones.
#[cfg(all(target_os = "linux", not(miri)))]
const PAGE: usize = 2 << 20;
/// The size from which a table asks for large pages.
#[cfg(all(target_os = "linux", not(miri)))]
const WORTH: usize = 4 * PAGE;

const LINE: usize = 64;
const _: () = assert!(size_of::<Table>() == LINE && size_of::<Bucket>() == LINE);
const _: () = assert!(size_of::<Pairs>() == 2 * LINE && size_of::<Outside>() == 24);

/// Returns the size of a bucket, of pairs or of addresses, in bytes.
const fn bucket_size(inline: bool) -> usize {
    if inline {
        size_of::<Pairs>()
    } else {
        size_of::<Bucket>()
    }
}

// SAFETY: only the owner of the table uses `memory`.
unsafe impl Send for Table {}
// SAFETY: only the owner of the table uses `memory`. The rest is atomic or never changes.
unsafe impl Sync for Table {}

/// The table of maps that have not allocated one, so that readers need not check for null. It is never written to.
#[repr(C, align(128))]
struct Empty {
    unused: [u64; 8],
    table: Table,
    /// A bucket that works for both layouts.
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
    /// Returns the table of maps that have never had an entry.
    pub(crate) fn empty() -> NonNull<Table> {
        // The pointer is made from the whole static, because the bucket behind the head is reached through it.
        // SAFETY: the head is a field of the static.
        unsafe {
            NonNull::from(&EMPTY)
                .byte_add(core::mem::offset_of!(Empty, table))
                .cast()
        }
    }

    fn layout(buckets: usize, kind: Kind) -> Layout {
        // The layout has a smaller alignment than buckets need. For a larger one, allocators zero the memory
        // themselves instead of asking the kernel for zeroed memory.
        buckets
            .checked_mul(bucket_size(kind.is_inline()))
            .and_then(|bytes| bytes.checked_add(LINE + ALIGN))
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u128>()).ok())
            .expect("the capacity of a hash map overflowed")
    }

    /// Checks that a table of this size can be allocated.
    ///
    /// # Panics
    /// Panics if the table would be larger than the address space.
    pub(crate) fn check(buckets: usize, kind: Kind) {
        Table::layout(buckets, kind);
    }

    /// Makes a table of empty buckets, whose number is a power of two.
    ///
    /// # Panics
    /// Panics if the table would be larger than the address space.
    pub(crate) fn allocate(buckets: usize, kind: Kind) -> NonNull<Table> {
        debug_assert!(buckets.is_power_of_two());
        let layout = Table::layout(buckets, kind);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        huge_pages(memory, layout.size());
        // The first bucket is aligned, and the head comes right before it.
        let first = (memory.addr() + LINE).next_multiple_of(ALIGN) - memory.addr();
        // SAFETY: the layout has room for the alignment, so the head, one line before the first bucket, and the
        // whole table behind it lie inside the allocation.
        let table = unsafe { memory.add(first - LINE) }.cast::<Table>();
        // SAFETY: the address is aligned and inside the allocation, which nobody else uses. Zeroes are valid
        // buckets.
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

    /// Frees a table with its overflow buckets and the pairs outside, but not the entries that are allocated one by
    /// one.
    ///
    /// # Safety
    /// The table is from [`Table::allocate`], or [`Table::empty`], and nobody uses it or its buckets any
    /// more.
    pub(crate) unsafe fn free(table: NonNull<Table>) {
        // SAFETY: nobody else uses the table. Overflow buckets are boxes, each owned by one link.
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

    /// Returns the layout of the entries. The static table has none.
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

    /// Returns how many bytes the table takes, without overflow buckets.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_static() {
            0
        } else {
            Table::layout(self.buckets(), self.kind).size()
        }
    }
}

/// Asks the kernel for large pages for a large table. With small pages, nearly every lookup would miss the TLB.
fn huge_pages(memory: *mut u8, bytes: usize) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if bytes >= WORTH {
        let first = memory.align_offset(PAGE);
        let whole = bytes.saturating_sub(first) / PAGE * PAGE;
        // SAFETY: a hint about pages inside our own allocation, which does not change their content. A kernel that
        // does not know the hint refuses it, which does no harm.
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

/// A table that is not freed within `'a`. Not a reference to the head, because the buckets behind it are reached
/// through this pointer, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableRef<'a> {
    head: NonNull<Table>,
    lives: PhantomData<&'a Table>,
}

// SAFETY: this is like a reference to a table, which is `Sync`.
unsafe impl Send for TableRef<'_> {}
// SAFETY: this is like a reference to a table, which is `Sync`.
unsafe impl Sync for TableRef<'_> {}

impl Deref for TableRef<'_> {
    type Target = Table;

    #[inline(always)]
    fn deref(&self) -> &Table {
        // SAFETY: the table is not freed within `'a`, as `new` requires.
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
        // SAFETY: the table has buckets of this size.
        unsafe { self.at(hash, bucket_size(INLINE)).cast().as_ref() }
    }

    /// # Safety
    /// `size` is that of the table's buckets, or the table is the static one.
    #[inline(always)]
    unsafe fn at(self, hash: u64, size: usize) -> NonNull<u8> {
        let offset = (hash as usize).wrapping_mul(size) & self.mask;
        // SAFETY: the offset is at most `mask`, so it is that of a bucket behind the head, in the same allocation,
        // to which this pointer has access. Buckets live as long as the head.
        unsafe { self.head.add(1).byte_add(offset).cast() }
    }

    /// Returns a bucket by its number, which is taken modulo the number of buckets.
    #[inline]
    pub(crate) fn bucket_at(self, index: usize) -> &'a Bucket {
        // SAFETY: buckets of both sizes begin with a `Bucket`.
        unsafe { self.at(index as u64, self.bucket_size()).cast().as_ref() }
    }

    /// Returns a bucket by its number, in the table's layout.
    #[inline]
    pub(crate) fn any_at(self, index: usize) -> AnyBucket<'a> {
        AnyBucket {
            bucket: self.bucket_at(index),
            // SAFETY: the table has buckets of pairs, as just checked.
            pairs: (self.kind.is_inline()).then(|| unsafe { self.pairs(index as u64) }),
        }
    }

    /// Returns the bucket of pairs of a hash. The table may be the static one, whose bucket has no tags and an
    /// empty list, and must not be written to.
    ///
    /// # Safety
    /// The table has buckets of pairs, or is the static one.
    #[inline(always)]
    pub(crate) unsafe fn pairs(self, hash: u64) -> &'a Pairs {
        debug_assert!(self.is_static() || self.kind.is_inline());
        // SAFETY: the table has buckets of pairs; the static one has as much room.
        unsafe { self.at(hash, size_of::<Pairs>()).cast().as_ref() }
    }
}

/// A bucket of either layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyBucket<'a> {
    /// The part that both layouts have.
    pub(crate) bucket: &'a Bucket,
    /// The whole bucket, if pairs are stored in it.
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
