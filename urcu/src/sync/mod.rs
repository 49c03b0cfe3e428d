//! The primitives that everything else is built from: atomics, locks, sleeping, and memory that a fork
//! wipes. The loom models replace this module, so all concurrency is imported from here.

mod atomic;
pub(crate) mod fork;
mod futex;
pub(crate) mod hook;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod parker;
pub(crate) mod rundown;
pub(crate) mod signals;
pub(crate) mod thread;
mod wiped;

pub(crate) use atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Instant,
    Ordering, catch_unwind, const_fn, fence, fence_after_update, next_generation, spin,
    thread_local,
};
pub(crate) use futex::{futex_wait, futex_wake};
pub(crate) use mutex::{Mutex, MutexGuard};
pub(crate) use signals::{as_user, without_signals};
pub(crate) use wiped::{Wiped, wiped};
