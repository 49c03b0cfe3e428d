//! What everything else is built from: atomics, locks, sleeping, and memory that a fork wipes. The loom
//! models have another module of this name, so whatever is concurrency is imported from here.

pub(crate) mod fork;
mod futex;
pub(crate) mod hook;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod parker;
pub(crate) mod rundown;
pub(crate) mod signals;
mod wiped;

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    fence,
};
pub(crate) use std::panic::catch_unwind;
pub(crate) use std::thread_local;
pub(crate) use std::time::Instant;

pub(crate) use futex::{futex_wait, futex_wake};
pub(crate) use mutex::{Mutex, MutexGuard};
pub(crate) use signals::{as_user, without_signals};
pub(crate) use wiped::{Wiped, wiped};

/// What threads do.
pub(crate) mod thread {
    pub(crate) use std::thread::sleep;
}

/// A function that is `const` here; the models' atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// One turn of a short wait.
pub(crate) fn spin() {
    core::hint::spin_loop();
}

/// Returns one more with each call, in the children of this process too.
pub(crate) fn next_generation() -> u64 {
    /// Not wiped: the last number that was taken.
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
