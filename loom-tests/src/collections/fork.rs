//! Stands for `urcu/collections/src/fork.rs`.

use std::cell::Cell;

pub(crate) const BITS: u32 = 14;

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system.
    static GENERATION: Cell<u32> = const { Cell::new(1) };
}

pub(crate) fn generation() -> u32 {
    GENERATION.get()
}

/// What follows is in a child, where nobody holds a lock.
pub(crate) fn fork() {
    GENERATION.set(GENERATION.get() % 1000 + 1);
}
