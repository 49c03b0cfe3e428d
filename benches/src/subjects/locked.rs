//! Locks.

use std::hint::black_box;
use std::sync::{Arc, Mutex, RwLock};

use crate::subject::{Kind, Subject};

pub(super) const KINDS: [Kind; 3] = [
    Kind::of::<Standard>("std RwLock", "std", "`read`; `write`"),
    Kind::of::<ParkingLot>("parking_lot RwLock", "parking_lot", "`read`; `write`"),
    Kind::of::<MutexArc>("std Mutex<Arc>", "std", "`lock`, `Arc::clone`; `lock`"),
];

struct Standard(RwLock<Box<u64>>);

impl Subject for Standard {
    fn new(value: u64) -> Self {
        Self(RwLock::new(Box::new(value)))
    }

    fn store(&self, value: u64) {
        let new = Box::new(value);
        *self.0.write().expect("no reader panics") = new;
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.0.read().expect("no writer panics");
        body(**value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(**self.0.read().expect("no writer panics"));
        }
        black_box(sum)
    }
}

struct ParkingLot(parking_lot::RwLock<Box<u64>>);

impl Subject for ParkingLot {
    fn new(value: u64) -> Self {
        Self(parking_lot::RwLock::new(Box::new(value)))
    }

    fn store(&self, value: u64) {
        let new = Box::new(value);
        *self.0.write() = new;
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.0.read();
        body(**value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(**self.0.read());
        }
        black_box(sum)
    }
}

struct MutexArc(Mutex<Arc<u64>>);

impl MutexArc {
    fn get(&self) -> Arc<u64> {
        Arc::clone(&self.0.lock().expect("nobody panics"))
    }
}

impl Subject for MutexArc {
    fn new(value: u64) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    fn store(&self, value: u64) {
        let new = Arc::new(value);
        *self.0.lock().expect("nobody panics") = new;
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.get();
        body(*value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*self.get());
        }
        black_box(sum)
    }
}
