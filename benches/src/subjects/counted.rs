//! Libraries that count who has a value.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Cache};
use arcshift::ArcShift;
use left_right::{Absorb, ReadHandleFactory, WriteHandle};
use rcu_cell::RcuCell;

use crate::subject::{ARC_SWAP, Kind, Subject};

pub(super) const KINDS: [Kind; 5] = [
    Kind::of::<Swap>(ARC_SWAP, "arc-swap", "`ArcSwap::load`; `ArcSwap::store`"),
    Kind::of::<Cached>(
        "arc-swap Cache",
        "arc-swap",
        "a `Cache` for each thread, `Cache::load`",
    ),
    Kind::of::<Shift>(
        "arcshift",
        "arcshift",
        "an `ArcShift` for each thread, `get`; `update`",
    ),
    Kind::of::<Cell>("rcu_cell", "rcu_cell", "`RcuCell::read`; `write`"),
    Kind::of::<LeftRight>(
        "left-right",
        "left-right",
        "a `ReadHandle` for each thread, `enter`; `append`, `publish`",
    ),
];

struct Swap(ArcSwap<u64>);

impl Subject for Swap {
    fn new(value: u64) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    fn store(&self, value: u64) {
        self.0.store(Arc::new(value));
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.0.load();
        body(**value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(**self.0.load());
        }
        black_box(sum)
    }
}

struct Cached(ArcSwap<u64>);

impl Subject for Cached {
    fn new(value: u64) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    fn store(&self, value: u64) {
        self.0.store(Arc::new(value));
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let mut cache = Cache::new(&self.0);
        body(**cache.load());
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut cache = Cache::new(&self.0);
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(**cache.load());
        }
        black_box(sum)
    }
}

/// The handle that others are cloned from, for each thread's reads.
struct Shift(Mutex<ArcShift<u64>>);

impl Subject for Shift {
    fn new(value: u64) -> Self {
        Self(Mutex::new(ArcShift::new(value)))
    }

    fn store(&self, value: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .update(value);
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let mut own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        body(*own.get());
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*own.get());
        }
        black_box(sum)
    }
}

struct Cell(RcuCell<u64>);

impl Subject for Cell {
    fn new(value: u64) -> Self {
        Self(RcuCell::some(value))
    }

    fn store(&self, value: u64) {
        drop(self.0.write(value));
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.0.read().expect("never empty");
        body(*value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*self.0.read().expect("never empty"));
        }
        black_box(sum)
    }
}

/// One of the two copies.
#[derive(Clone, Copy)]
struct Copied(u64);

struct Set(u64);

impl Absorb<Set> for Copied {
    fn absorb_first(&mut self, operation: &mut Set, _: &Self) {
        self.0 = operation.0;
    }

    fn sync_with(&mut self, first: &Self) {
        *self = *first;
    }
}

struct LeftRight {
    writer: Mutex<WriteHandle<Copied, Set>>,
    readers: ReadHandleFactory<Copied>,
}

impl Subject for LeftRight {
    fn new(value: u64) -> Self {
        let (mut writer, reader) = left_right::new_from_empty::<Copied, Set>(Copied(value));
        writer.publish();
        Self {
            writer: Mutex::new(writer),
            readers: reader.factory(),
        }
    }

    fn store(&self, value: u64) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.append(Set(value));
        writer.publish();
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let own = self.readers.handle();
        let value = own.enter().expect("the writer lives");
        body(value.0);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let own = self.readers.handle();
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(own.enter().expect("the writer lives").0);
        }
        black_box(sum)
    }
}
