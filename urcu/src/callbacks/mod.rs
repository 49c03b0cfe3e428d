//! Callbacks: work to be done after a grace period.
//!
//! A thread appends a callback to a chunk of the CPU it runs on, by a restartable sequence that also finds
//! the chunk through the domain's *phase* word: so the flip of a grace period, and the restart after it,
//! take all partly filled chunks away from the CPUs at once. That needs no lock and no atomic instruction.
//! Chunks that left the CPUs wait in a `Queue` for their grace period; `queue` says which grace period that
//! is.
//!
//! # Who runs them
//! Freeing memory is cheapest where it is allocated, and a few objects at a time: freeing many at once
//! costs the allocator several times as much for each. So every seventh retirement drops seven values that were
//! retired on the same CPU and are ready. The worker runs callbacks that do anything but drop a value, and
//! all that are left when no thread retires any more. Callers of `barrier`, and the thread that drops the
//! domain, run callbacks too. None of them holds a lock of this library meanwhile.
//!
//! A thread that queues a callback of the other kind (`Domain::call`) may hold locks of the program and does
//! not expect any code to run. So it drops nothing, and leads no grace period (which might wake futures and
//! report stalls). At most it waits for room in the budget.

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
