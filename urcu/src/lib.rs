//! Userspace RCU with per-CPU reader counters: reading takes a few plain instructions, waiting for readers
//! takes one flip and one system call.
//!
//! *Read-copy-update* lets any number of threads read shared data while others replace it. A reader
//! brackets its accesses in a *read-side section*; an updater publishes a new version, waits for a *grace
//! period* (until all sections that were open have ended) and frees the old version.
//!
//! ```toml
//! [dependencies]
//! urcu = { package = "urcu-percpu", path = "../urcu-percpu/urcu" } # the checkout beside your package
//! ```
//!
//! ```
//! use urcu::Rcu;
//!
//! let config = Rcu::new(vec!["a", "b"]);
//!
//! // Readers: any number of threads, also in signal handlers.
//! assert_eq!(config.read()[0], "a");
//!
//! // Many cells under one guard.
//! let guard = urcu::read_lock();
//! assert_eq!(config.load(&guard).len(), 2);
//! drop(guard);
//!
//! // Updaters: wait, and get the old version back ...
//! let old = config.replace(vec!["c"]);
//! assert_eq!(old, ["a", "b"]);
//! // ... or do not wait: it is dropped after a grace period.
//! config.store(vec!["d"]);
//! ```
//!
//! In asynchronous code, with any runtime; guards may live across an `.await`:
//!
//! ```
//! # use std::{future::Future, pin::pin, sync::Arc, task::{Context, Wake}};
//! # struct Noop;
//! # impl Wake for Noop { fn wake(self: Arc<Self>) {} }
//! # fn block_on(future: impl Future) {
//! #     let mut future = pin!(future);
//! #     let waker = Arc::new(Noop).into();
//! #     let mut context = Context::from_waker(&waker);
//! #     while future.as_mut().poll(&mut context).is_pending() { std::thread::yield_now() }
//! # }
//! static ROUTES: urcu::RcuOption<Vec<String>> = urcu::RcuOption::empty();
//!
//! async fn replace_routes(routes: Vec<String>) {
//!     ROUTES.store(Some(routes));
//!     urcu::global().synchronize_async().await; // No request uses the old ones any more.
//! }
//! # block_on(replace_routes(vec!["/".into()]));
//! ```
//!
//! # Which type do I want?
//! | you have | use |
//! |---|---|
//! | a value that is replaced now and then | [`Rcu`]: [`read`](RcuCell::read), [`store`](RcuCell::store), [`replace`](RcuCell::replace), [`update`](RcuCell::update) |
//! | a small `Copy` value | [`Rcu`] and [`snapshot`](RcuCell::snapshot), which touches no counter |
//! | a value that may be missing, or a `static` | [`RcuOption`] |
//! | a `str`, a slice or a trait object | [`Rcu`], [with its `Box`](RcuCell#values-without-a-size) |
//! | an `Arc` that readers keep | [`RcuArc`], [`RcuArcOption`] |
//! | a part of a value, with the section that keeps it | [`Ref`]; for tasks and queues [`OwnedRef`] |
//! | a value that one thread or task reads again and again | [`Cache`] of an [`RcuArc`], [`CloneCache`] of an [`Rcu`] |
//! | a component that needs one part of a configuration | [`Access`] |
//! | a stack, a list or a tree of your own | [`link`], without `unsafe` |
//! | any other [structure of your own](docs::own_structure) | [`raw`]; [`read_lock`], and [`synchronize`], [`call`] or [`defer_drop`] |
//! | a long loop under one guard | [`ReadGuard::refresh`] |
//! | long sections that must not delay others | a [`Domain`] of its own; as a type, by [`domain!`]; as an `Arc`, owned by its cells |
//! | an old value that is to be waited for later, or kept | [`Unlinked`]: [`unlink`](RcuCell::unlink), [`fetch_update`](RcuCell::fetch_update) |
//! | grace periods to poll for, or to await | [`GracePeriod`], [`SynchronizeAsync`] |
//! | a bound on what waits; a say in who does the work | [`Budget`]; [`Runner`], [`Threads`] |
//! | to know what is going on | [`stall`], [`Stats`], [`reader_mode`] |
//!
//! # Pages
//! * To begin with: [patterns](docs::patterns), and mistakes that look right; [examples](docs::gallery) to start
//!   from; [a structure of your own](docs::own_structure), or [one you bring](docs::bring_your_own).
//! * Coming from [arc-swap](docs::arc_swap), [crossbeam-epoch](docs::crossbeam_epoch), [seize or
//!   haphazard](docs::hazard_pointers), [papaya, dashmap or `RwLock<HashMap>`](docs::maps),
//!   [liburcu](docs::liburcu).
//! * When something is wrong: [troubleshooting](docs::troubleshooting); [limitations](docs::limitations);
//!   [sanitizers, Miri, valgrind, debuggers](docs::sanitizers).
//! * To judge it: [performance](docs::performance); [what is promised, and what tests it](docs::reliability).
//! * To understand it: [how it works](docs::internals); [where it comes from](docs::lineage);
//!   [glossary](docs::glossary).
//!
//! # Features
//! | feature | what it adds (all are off by default) |
//! |---|---|
//! | `serde` | `Serialize` and `Deserialize` for cells |
//! | `log`, `tracing` | reports of stalls go there instead of to standard error |
//! | `stall-trace` | reports say where sections began, at some tens of nanoseconds for each section |
//!
//! `RUSTFLAGS="--cfg rseq_ops_portable"` builds with atomics instead of restartable sequences, as on other
//! processors. That is no feature, so that no package can choose it for all others.
//!
//! # How readers are counted
//! Per CPU, not per thread: a section bumps a counter of the CPU it runs on inside a *restartable
//! sequence* (`rseq(2)`, package `rseq-ops`), so without an atomic instruction. Nothing is kept per
//! thread: threads need no registration, guards are `Send`, and a grace period costs the same with ten
//! threads or ten thousand. Where there are no restartable sequences (Linux before 5.10, other systems, a
//! strict filter, valgrind), readers use atomics and all else is the same; [`reader_mode`] says which it
//! is, and why.
//!
#![doc = include_str!("docs/grace_period.svg")]
//!
//! An updater changes the current *phase* and restarts all sequences in flight by one system call. From then on
//! sections of the old phase only end; when the sum of its counters is zero, the old version is freed. [How it
//! works](docs::internals) has more.

// So that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod callbacks;
mod cell;
pub mod docs;
mod domain;
mod driver;
mod global;
mod gp;
mod polling;
pub mod raw;
mod settings;
pub mod stall;
mod stats;
mod sync;
mod sys;
#[cfg(rseq_ops_delay_injection)]
#[doc(hidden)]
pub mod testing;

pub use callbacks::set_callback_panic_hook;
pub use cell::link;
pub use cell::{
    Access, Behind, ByValue, Cache, CloneCache, CompareExchangeError, Constant, Global, InDomain,
    Offset, OwnedRef, OwningPtr, Part, PartOf, Payload, Rcu, RcuArc, RcuArcOption, RcuCell,
    RcuOption, Ref, RefCounted, SNAPSHOT_MAX, StaticDomain, Unlinked, WaitAsync,
};
pub use domain::{Domain, DomainType, GuardOf, RawGuard, ReadGuard};
pub use driver::job::{Executor, Job, Runner};
pub use global::{barrier, call, defer_drop, global, read_lock, synchronize};
pub use polling::{GracePeriod, SynchronizeAsync};
pub use stats::{Histogram, Stats};

pub use settings::Budget;
pub use sys::reader_mode;
pub use sys::reader_mode::{AtomicsReason, ReaderMode};
pub use sys::threads::{Threads, set_threads};
