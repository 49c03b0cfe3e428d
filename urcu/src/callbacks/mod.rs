//! Callbacks: what is to be done after a grace period.
//!
//! A thread appends a callback to a chunk of the CPU it runs on, by a restartable sequence that
//! also finds the chunk through the domain's *phase* word: so the flip of a grace period, and the
//! restart after it, take all chunks that are part-full away from the CPUs at once. No lock and no
//! atomic instruction is on that way. Chunks that left the CPUs wait in a `Queue` for their grace
//! period; `queue` says which.
//!
//! # Who runs them
//! Freeing memory where it is allocated is cheapest: for the allocator, a few objects at a time are
//! several times cheaper than many. So every sixth retirement drops six values whose time has
//! come, of those that were retired on the same CPU. Callbacks that do anything else than drop a
//! value, and what is left when nobody retires any more, are the worker's; and callers of
//! `barrier`, and whoever drops the domain, take part. Nobody holds a lock of ours meanwhile.
//!
//! Whoever queues a callback of the other kind (`Domain::call`) may hold locks of the program's, and
//! does not expect that anything runs: such a thread drops nothing, leads no grace period (which
//! might wake futures and report stalls), and waits for room at most.

mod barrier;
mod chunk;
mod enqueue;
mod host;
mod invoke;
mod limits;
mod of_domain;
mod pace;
mod queue;
mod record;
mod room;
mod seal;
mod slots;

pub(crate) use barrier::{barrier, finish};
pub(crate) use enqueue::{enqueue_slow, help};
pub(crate) use host::Host;
pub(crate) use invoke::inside_callback;
pub use invoke::set_callback_panic_hook;
pub(crate) use of_domain::Callbacks;
pub(crate) use record::Callback;
pub(crate) use slots::append;
