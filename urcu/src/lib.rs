//! Userspace RCU with per-CPU reader counters: reads cost a few plain instructions, a grace period
//! one flip and one system call.
//!
//! *Read-copy-update* lets any number of threads read shared data while others replace it. A
//! reader brackets its accesses in a *read-side section*; an updater publishes a new version, waits
//! for a *grace period* (all sections open at that moment have ended) and frees the old version.
//!
//! ```
//! use urcu::Rcu;
//!
//! let config = Rcu::new(vec!["a", "b"]);
//!
//! // Readers: any number of threads, also in signal handlers.
//! let guard = urcu::read_lock();
//! assert_eq!(config.load(&guard).len(), 2);
//! drop(guard);
//!
//! // One value, no guard to think of:
//! assert_eq!(config.read()[0], "a");
//!
//! // Updaters: wait and get the old version back ...
//! let old = config.replace(vec!["c"]);
//! assert_eq!(old, ["a", "b"]);
//! // ... or leave it to the background thread.
//! config.store(vec!["d"]);
//! ```
//!
//! # What is where
//! | | |
//! |---|---|
//! | [`Rcu`] | an owning pointer that readers follow and updaters replace |
//! | [`RcuOption`], [`RcuArc`], [`RcuArcOption`] | the same for what may be missing, and for an `Arc` |
//! | [`Ref`] | a value with the section that keeps it, or a part of one |
//! | [`read_lock`], [`synchronize`] | the two primitives, on the [`global`] domain |
//! | [`call`], [`defer_drop`], [`barrier`] | work that waits for a grace period elsewhere |
//! | [`GracePeriod`], [`SynchronizeAsync`] | grace periods to poll for, or to await |
//! | [`Budget`], [`Runner`], [`Threads`] | how much may wait, who does the work, and on what threads |
//! | [`stall`], [`Stats`] | what a grace period waits for; what a domain has counted |
//! | [`Domain`] | a set of sections and grace periods of its own |
//! | [`docs`] | coming from `arc-swap`; what is promised, and how it is tested; your own tests under sanitizers |
//!
//! # How readers are counted
//! Per CPU, not per thread: a section bumps a counter of the CPU it runs on inside a *restartable
//! sequence* (`rseq(2)`, package `rseq-ops`), so without an atomic instruction. Nothing is kept per
//! thread: threads need no registration, guards are `Send`, and a grace period costs the same with
//! ten threads or ten thousand. Where the kernel has no restartable sequences (before Linux 5.10,
//! other systems, under valgrind or a strict seccomp filter), readers use atomics and all else is
//! the same: [`reader_mode`] says what is in force and why. So does a single thread without a
//! registration, whoever ended it, and a CPU that this process was not told of. See `readers.rs` and
//! `grace_period.rs`, about two screens each.
//!
//! # What is not promised
//! * `synchronize` and `barrier` inside a read-side section of the same domain wait for ever. [`stall`]
//!   reports it; with debug assertions after three seconds, and with both places, where the section
//!   began and where it is waited for.
//! * A guard that was taken before a `fork` protects nothing in the child (and loading through it
//!   panics there, with debug assertions). All else works in the child at once, whoever forked and
//!   whatever other threads did: on Linux 4.14 and newer, elsewhere the child may read. What the
//!   parent had queued runs in the parent alone. A `vfork` child must do none of this. What holds
//!   after a fork in a signal handler is said [here](docs::reliability#in-a-forked-child).
//! * Memory shared between processes is not covered.
//! * Nobody but the kernel may write into libc's `struct rseq`, and no signal handler may *register* a
//!   thread that has no registration by calling `rseq(2)` itself: the section or snapshot that it
//!   interrupts would go on unprotected. (Ending a registration is harmless.)
//! * A shared object with this library inside can be loaded at any time, and stays loaded, by glibc
//!   (`rseq_ops`, "In shared objects"). With musl's `dlopen` this was not tried. With `stall-trace`, and in builds with debug assertions,
//!   the first section of a thread in such an object should not be in a signal handler: it uses
//!   thread-local data, for which libc may allocate then.
//! * After `mlockall(MCL_FUTURE)` the counters of all possible CPUs are locked in memory: 64 KiB for each
//!   CPU for up to 1,024 domains, and as much for the domains' own state. Pass `MCL_ONFAULT` too.

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod callbacks;
pub mod docs;
mod domain;
mod fork;
mod global;
mod grace_period;
mod hook;
mod lock;
mod machine;
mod once;
mod polling;
mod rcu;
mod reader_mode;
mod readers;
mod rounds;
mod rundown;
pub mod stall;
mod stats;
mod tasks;
#[cfg(feature = "delay-injection")]
#[doc(hidden)]
pub mod testing;
mod threads;
mod trace;
mod worker;

pub use callbacks::{Budget, Executor, Job, Runner, set_callback_panic_hook};
pub use domain::{Domain, ReadGuard};
pub use global::{barrier, call, defer_drop, global, read_lock, synchronize};
pub use polling::{GracePeriod, SynchronizeAsync};
pub use rcu::{
    CompareExchangeError, Global, InDomain, OwningPtr, Payload, Rcu, RcuArc, RcuArcOption, RcuCell,
    RcuOption, Ref, RefCounted, SNAPSHOT_MAX,
};
pub use reader_mode::{AtomicsReason, ReaderMode, reader_mode};
pub use stats::{Histogram, Stats};
pub use threads::{Threads, set_threads};
