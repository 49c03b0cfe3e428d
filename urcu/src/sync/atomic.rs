//! The standard library's atomics, clock and panics, under the names that the models replace.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    compiler_fence, fence,
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

/// Orders everything before an atomic read-modify-write, and the read-modify-write itself, before everything after
/// this call: what `fence(SeqCst)` does there.
///
/// On x86 a locked instruction is a full barrier already (Intel's manual, volume 3, "Memory Ordering"; the litmus
/// test `dekker-locked`), so only the compiler is restrained. A second barrier cost as much as all the rest of a
/// section that is counted by atomics.
#[inline(always)]
pub(crate) fn fence_after_update() {
    if cfg!(all(
        any(target_arch = "x86", target_arch = "x86_64"),
        not(miri)
    )) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

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
