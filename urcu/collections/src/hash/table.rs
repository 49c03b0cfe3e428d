//! Tables of buckets.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};

use super::bucket::Bucket;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// The head of a table, one cache line, behind which the buckets lie.
///
/// The restartable lookup relies on `mask` being the first word, and on the buckets' place.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Table {
    /// `(number of buckets - 1) * 64`: a mask of offsets.
    mask: usize,
    /// The address that the allocator gave. Null: the table is a static.
    memory: *mut u8,
    /// The table that takes this one's place, while and after the contents are moved.
    pub(crate) next: AtomicPtr<Table>,
    /// The number of groups of buckets that somebody has begun to move.
    pub(crate) claimed: AtomicUsize,
    /// The number of groups, counted from the first, that are certain to have been moved.
    pub(crate) verified: AtomicUsize,
}

const BUCKET: usize = size_of::<Bucket>();
const _: () = assert!(size_of::<Table>() == 64 && BUCKET == 64);

// SAFETY: `memory` is only used by who owns the table.
unsafe impl Send for Table {}
// SAFETY: `memory` is only used by who owns the table; the rest is atomic, or never changes.
unsafe impl Sync for Table {}

/// The table of a map without one, so that readers need not ask. Never written to.
#[repr(C)]
struct Empty {
    table: Table,
    bucket: Bucket,
}

static EMPTY: Empty = Empty {
    table: Table {
        mask: 0,
        memory: ptr::null_mut(),
        next: AtomicPtr::new(ptr::null_mut()),
        claimed: AtomicUsize::new(0),
        verified: AtomicUsize::new(0),
    },
    bucket: Bucket::new(),
};

impl Table {
    /// Returns the table of maps that never had anything in them.
    pub(crate) fn empty() -> NonNull<Table> {
        // Of the whole, because the bucket behind it is reached through this pointer.
        NonNull::from(&EMPTY).cast()
    }

    fn layout(buckets: usize) -> Layout {
        // Not of the alignment that is needed: allocators clear memory of a larger alignment
        // themselves, where they could ask the kernel for memory that is clear.
        buckets
            .checked_add(1)
            .and_then(|lines| lines.checked_mul(BUCKET))
            .and_then(|bytes| bytes.checked_add(BUCKET))
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u128>()).ok())
            .expect("the capacity of a hash map overflowed")
    }

    /// Checks that such a table can be asked for.
    ///
    /// # Panics
    /// If it would be larger than an address space.
    pub(crate) fn check(buckets: usize) {
        Table::layout(buckets);
    }

    /// Makes a table of empty buckets, whose number is a power of two.
    ///
    /// # Panics
    /// If the number is too large for an address space.
    pub(crate) fn allocate(buckets: usize) -> NonNull<Table> {
        debug_assert!(buckets.is_power_of_two());
        let layout = Table::layout(buckets);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the layout has a line more than is used, so a multiple of 64 with the whole table
        // behind it lies within.
        let table = unsafe { memory.add(memory.align_offset(BUCKET)) }.cast::<Table>();
        // SAFETY: aligned now, within the allocation, and nobody else's. Buckets may be zero.
        unsafe {
            table.write(Table {
                mask: (buckets - 1) * BUCKET,
                memory,
                next: AtomicPtr::new(ptr::null_mut()),
                claimed: AtomicUsize::new(0),
                verified: AtomicUsize::new(0),
            });
            NonNull::new_unchecked(table)
        }
    }

    /// Frees a table and its overflow buckets, but no entries.
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
                let mut next = this.bucket_at(index).next.load(Ordering::Relaxed);
                while !next.is_null() {
                    let bucket = Box::from_raw(next);
                    next = bucket.next.load(Ordering::Relaxed);
                }
            }
            let (memory, layout) = (this.memory, Table::layout(this.buckets()));
            dealloc(memory, layout);
        }
    }

    /// Returns whether this is [`Table::empty`].
    #[inline]
    pub(crate) fn is_static(&self) -> bool {
        self.memory.is_null()
    }

    /// Returns how many buckets there are, without overflow buckets.
    #[inline(always)]
    pub(crate) fn buckets(&self) -> usize {
        self.mask / BUCKET + 1
    }

    /// Returns how many bytes it takes, without overflow buckets.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_static() {
            0
        } else {
            Table::layout(self.buckets()).size()
        }
    }
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
    pub(crate) fn bucket(self, hash: u64) -> &'a Bucket {
        let offset = (hash as usize).wrapping_mul(BUCKET) & self.mask;
        // SAFETY: the offset is at most `mask`, so it is that of a bucket behind the head, in the same
        // allocation, whose pointer this is; and buckets live as long as the head.
        unsafe { self.head.add(1).byte_add(offset).cast().as_ref() }
    }

    /// Returns a bucket by its number, which is taken modulo the number of buckets.
    #[inline(always)]
    pub(crate) fn bucket_at(self, index: usize) -> &'a Bucket {
        self.bucket(index as u64)
    }
}
