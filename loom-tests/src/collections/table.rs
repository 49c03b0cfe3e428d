//! Stands for `urcu/collections/src/hash/table.rs`: loom's atomics have to be made, and have another size.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use super::hash::bucket::Bucket;
use super::reclaim::end;
use crate::kernel::{Alive, AtomicPtr, AtomicUsize, Ordering};

#[derive(Debug)]
pub(crate) struct Table {
    alive: Alive,
    is_static: bool,
    pub(crate) next: AtomicPtr<Table>,
    pub(crate) claimed: AtomicUsize,
    pub(crate) verified: AtomicUsize,
    buckets: ManuallyDrop<Vec<NonNull<Bucket>>>,
}

impl Table {
    /// One for each map.
    pub(crate) fn empty() -> NonNull<Table> {
        Table::make(1, true)
    }

    pub(crate) fn check(_: usize) {}

    pub(crate) fn allocate(buckets: usize) -> NonNull<Table> {
        Table::make(buckets, false)
    }

    fn make(buckets: usize, is_static: bool) -> NonNull<Table> {
        assert!(buckets.is_power_of_two());
        let bucket = |_| NonNull::from(Box::leak(Box::new(Bucket::new())));
        NonNull::from(Box::leak(Box::new(Table {
            alive: Alive::new(),
            is_static,
            next: AtomicPtr::new(ptr::null_mut()),
            claimed: AtomicUsize::new(0),
            verified: AtomicUsize::new(0),
            buckets: ManuallyDrop::new((0..buckets).map(bucket).collect()),
        })))
    }

    /// # Safety
    /// As shipped.
    pub(crate) unsafe fn free(table: NonNull<Table>) {
        // SAFETY: as shipped.
        unsafe {
            let buckets = ManuallyDrop::take(&mut (*table.as_ptr()).buckets);
            end(table.as_ptr());
            for bucket in buckets {
                let mut next = bucket.as_ref().next.load(Ordering::Relaxed);
                end(bucket.as_ptr());
                while !next.is_null() {
                    let bucket = next;
                    next = (*bucket).next.load(Ordering::Relaxed);
                    end(bucket);
                }
            }
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.is_static
    }

    pub(crate) fn buckets(&self) -> usize {
        self.alive.check();
        self.buckets.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        0
    }
}

/// As shipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableRef<'a> {
    head: NonNull<Table>,
    lives: PhantomData<&'a Table>,
}

impl Deref for TableRef<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        // SAFETY: as shipped; and what is freed is there until the next emulated kernel is booted.
        unsafe { self.head.as_ref() }
    }
}

impl<'a> TableRef<'a> {
    /// # Safety
    /// As shipped.
    pub(crate) unsafe fn new(head: NonNull<Table>) -> Self {
        TableRef {
            head,
            lives: PhantomData,
        }
    }

    pub(crate) fn as_ptr(self) -> *mut Table {
        self.head.as_ptr()
    }

    pub(crate) fn bucket(self, hash: u64) -> &'a Bucket {
        let buckets = self.buckets();
        // SAFETY: the table's.
        unsafe { self.buckets[hash as usize & (buckets - 1)].as_ref() }
    }

    pub(crate) fn bucket_at(self, index: usize) -> &'a Bucket {
        self.bucket(index as u64)
    }
}
