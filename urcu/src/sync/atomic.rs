//! The standard library's atomics, clock and panics, under the names that the models replace.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    fence,
};
pub(crate) use std::panic::catch_unwind;
pub(crate) use std::thread_local;
pub(crate) use std::time::Instant;

/// A function that is `const` here; the models' atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Takes one turn of a short wait.
pub(crate) fn spin() {
    core::hint::spin_loop();
}

/// Returns a number that is one higher with each call, in the children of this process too.
pub(crate) fn next_generation() -> u64 {
    /// Not wiped: the last number that was taken.
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
