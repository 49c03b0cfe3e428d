//! Stands for `urcu/collections/src/hash/table.rs`: loom's atomics have to be made, and have another size.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use super::hash::bucket::{Bucket, Node};
use super::hash::kind::Kind;
use super::hash::pairs::Pairs;
use super::reclaim::end;
use crate::kernel::{Alive, AtomicPtr, AtomicUsize, Ordering};

#[derive(Debug)]
pub(crate) struct Table {
    alive: Alive,
    is_static: bool,
    kind: Kind,
    pub(crate) next: AtomicPtr<Table>,
    pub(crate) claimed: AtomicUsize,
    pub(crate) verified: AtomicUsize,
    buckets: ManuallyDrop<Vec<NonNull<Bucket>>>,
}

impl Table {
    /// One for each map.
    pub(crate) fn empty() -> NonNull<Table> {
        Table::make(1, Kind::APART, true)
    }

    pub(crate) fn check(_: usize, _: Kind) {}

    pub(crate) fn allocate(buckets: usize, kind: Kind) -> NonNull<Table> {
        Table::make(buckets, kind, false)
    }

    fn make(buckets: usize, kind: Kind, is_static: bool) -> NonNull<Table> {
        assert!(buckets.is_power_of_two());
        // Both begin with a header; and those of pairs are the larger ones.
        const { assert!(size_of::<Pairs>() > size_of::<Bucket>()) };
        let bucket = |_| -> NonNull<Bucket> {
            if kind.is_inline() || is_static {
                NonNull::from(Box::leak(Box::new(Pairs::new()))).cast()
            } else {
                NonNull::from(Box::leak(Box::new(Bucket::new())))
            }
        };
        NonNull::from(Box::leak(Box::new(Table {
            alive: Alive::new(),
            is_static,
            kind,
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
            let (kind, is_static) = (table.as_ref().kind, table.as_ref().is_static);
            end(table.as_ptr());
            for bucket in buckets {
                if kind.is_inline() || is_static {
                    let pairs = bucket.cast::<Pairs>();
                    pairs.as_ref().free_outside();
                    end(pairs.as_ptr());
                    continue;
                }
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

    pub(crate) fn kind(&self) -> Kind {
        self.kind
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

    pub(crate) fn bucket<const INLINE: bool>(self, hash: u64) -> &'a Bucket {
        assert!(self.is_static || self.kind.is_inline() == INLINE);
        self.bucket_at(hash as usize)
    }

    pub(crate) fn bucket_at(self, index: usize) -> &'a Bucket {
        let buckets = self.buckets();
        // SAFETY: the table's.
        unsafe { self.buckets[index & (buckets - 1)].as_ref() }
    }

    /// # Safety
    /// As shipped.
    pub(crate) unsafe fn pairs(self, hash: u64) -> &'a Pairs {
        let index = hash as usize & (self.buckets() - 1);
        // SAFETY: as shipped.
        unsafe { self.buckets[index].cast().as_ref() }
    }

    pub(crate) fn any_at(self, index: usize) -> AnyBucket<'a> {
        AnyBucket {
            bucket: self.bucket_at(index),
            // SAFETY: as shipped.
            pairs: (self.kind.is_inline()).then(|| unsafe { self.pairs(index as u64) }),
        }
    }
}

/// As shipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyBucket<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) pairs: Option<&'a Pairs>,
}

impl<'a> AnyBucket<'a> {
    pub(crate) fn nodes(self) -> impl Iterator<Item = NonNull<Node>> + 'a {
        let apart = self.pairs.is_none().then(|| self.bucket.nodes());
        let inline = self.pairs.map(Pairs::nodes);
        let inline = inline.into_iter().flatten();
        apart.into_iter().flatten().chain(inline)
    }
}
