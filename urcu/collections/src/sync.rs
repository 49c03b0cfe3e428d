//! What the collections are built from: atomics, waiting, and numbers that the models want smaller. The loom
//! models have another module of this name, so whatever is concurrency is imported from here.

pub(crate) use core::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// The number of slots of a segment of a queue.
pub(crate) const SEGMENT_SLOTS: usize = 64;

/// The number of times a consumer looks whether a producer that has taken the slot has filled it, before it
/// leaves the slot useless.
pub(crate) const SLOT_PATIENCE: u32 = 64;

/// The greatest number of children or entries of a node of a tree: a power of two.
pub(crate) const NODE_ITEMS: usize = 32;

/// A function that is `const` here; the models' atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Takes one turn of a wait that is usually short.
pub(crate) fn pause(turns: &mut u32) {
    *turns += 1;
    if *turns < 64 {
        core::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// Nothing: a part of whatever others may look at while it is unlinked. The models' notices whether it is
/// looked at before it is whole, or after its end.
#[derive(Debug)]
pub(crate) struct Alive;

impl Alive {
    pub(crate) const fn new() -> Self {
        Alive
    }

    /// Called by who looks at what it is a part of.
    #[inline(always)]
    pub(crate) fn check(&self) {}
}
