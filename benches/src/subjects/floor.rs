//! The floor: two plain increments around the same load and read, which protect nothing.

use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::floor::Words;
use crate::subject::{FLOOR, Kind, Subject};

pub(super) const KINDS: [Kind; 1] = [Kind::of::<Floor>(
    FLOOR,
    "none",
    "two words incremented, a plain load; nothing is protected",
)];

/// Values are freed with the subject, all of them.
struct Floor {
    last: AtomicPtr<Node>,
}

struct Node {
    value: u64,
    before: *mut Node,
}

impl Subject for Floor {
    fn new(value: u64) -> Self {
        let floor = Self {
            last: AtomicPtr::new(ptr::null_mut()),
        };
        floor.store(value);
        floor
    }

    fn store(&self, value: u64) {
        let mut before = self.last.load(Ordering::Acquire);
        let node = Box::into_raw(Box::new(Node { value, before }));
        while let Err(other) =
            self.last
                .compare_exchange(before, node, Ordering::AcqRel, Ordering::Acquire)
        {
            before = other;
            // SAFETY: nobody else knows the node yet.
            unsafe { (*node).before = before };
        }
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let node = self.last.load(Ordering::Acquire);
        // SAFETY: never null, and not freed before `self` is dropped.
        body(unsafe { (*node).value });
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        let mut words = Words::default();
        for _ in 0..count {
            words.lock();
            let node = self.last.load(Ordering::Acquire);
            // SAFETY: never null, and not freed before `self` is dropped.
            sum = sum.wrapping_add(unsafe { (*node).value });
            words.unlock();
        }
        black_box(words.counts());
        black_box(sum)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let mut next = *self.last.get_mut();
        while !next.is_null() {
            // SAFETY: each node came from a box and is in the list once; `&mut self`: nobody
            // reads it.
            next = unsafe { Box::from_raw(next) }.before;
        }
    }
}

// SAFETY: nodes are not changed once they are published, and freed by `&mut self` alone.
unsafe impl Send for Floor {}
// SAFETY: nodes are not changed once they are published, and freed by `&mut self` alone.
unsafe impl Sync for Floor {}
