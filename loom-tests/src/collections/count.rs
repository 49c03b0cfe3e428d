//! Stands for `urcu/collections/src/count.rs`: what is counted orders nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Self {
        Count(AtomicUsize::new(0))
    }

    pub(crate) fn add(&self, delta: isize) {
        self.0.fetch_add(delta as usize, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
