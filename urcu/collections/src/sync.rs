//! Atomics, waiting, and constants that the models want smaller. The loom models replace this module, so all code
//! imports its concurrency primitives from here.

pub(crate) use core::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

/// The number of slots of a segment of a queue.
pub(crate) const SEGMENT_SLOTS: usize = 128;

/// The number of times that a consumer checks whether the producer that has claimed a slot has filled it, before the
/// consumer makes the slot unusable.
pub(crate) const SLOT_PATIENCE: u32 = 64;

/// The greatest number of entries of a leaf of a tree: a power of two.
pub(crate) const LEAF_ITEMS: usize = 16;

/// The greatest number of children of an inner node of a tree: a power of two.
pub(crate) const INNER_ITEMS: usize = 32;

/// Declares a function that is `const` here, but not in the models, whose atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Waits for a moment, in a loop that is usually short.
pub(crate) fn pause(turns: &mut u32) {
    *turns += 1;
    if *turns < 64 {
        core::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// An empty marker inside objects that readers may still see when they are unlinked. The models' version of it
/// notices a reader that sees an object before it is initialized or after it was freed.
#[derive(Debug)]
pub(crate) struct Alive;

impl Alive {
    pub(crate) const fn new() -> Self {
        Alive
    }

    /// Called by a reader that sees the object around the marker.
    #[inline(always)]
    pub(crate) fn check(&self) {}
}
