//! Loom models of the sources that `urcu-percpu` ships.
//!
//! All of `urcu/src` but what is named below, and the stack of `rseq-ops`, are compiled unchanged,
//! against an emulated kernel ([`machine`]) in the place of the real one. [`MODELS`] lists what runs
//! on it; the program `mutants` shows that the models would notice if something were missing.
//!
//! Not compiled are `machine.rs`, which this replaces; `stall.rs` and `trace.rs`, which look at clocks
//! and keep a table for messages; and `global.rs`, which is a static.

// The shipped sources have functions that no model needs, and features.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    unexpected_cfgs,
    unfulfilled_lint_expectations
)]
// Loom's threads are all one.
#![allow(clippy::arc_with_non_send_sync)]
// Their documentation is made where they ship.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc
)]

mod global;
pub mod machine;
mod models;
pub mod mutations;
mod percpu;
mod stall;
pub mod table;
mod trace;

/// What `urcu-percpu` ships.
#[path = "../../urcu/src"]
mod shipped {
    pub(crate) mod callbacks;
    pub(crate) mod domain;
    pub(crate) mod fork;
    pub(crate) mod grace_period;
    pub(crate) mod hook;
    pub(crate) mod lock;
    pub(crate) mod once;
    pub(crate) mod polling;
    pub(crate) mod raw;
    pub(crate) mod rcu;
    pub(crate) mod reader_mode;
    pub(crate) mod readers;
    pub(crate) mod rounds;
    pub(crate) mod rundown;
    pub(crate) mod stats;
    pub(crate) mod tasks;
    pub(crate) mod worker;
}
use shipped::{
    callbacks, domain, fork, grace_period, hook, lock, once, polling, raw, rcu, reader_mode,
    readers, rounds, rundown, stats, tasks, worker,
};
// The paths that the sources' documentation and signatures use.
use callbacks::{Budget, Runner};
use domain::Domain;
use rcu::Rcu;
use reader_mode::{AtomicsReason, ReaderMode};
use stats::Stats;

pub use models::{Checked, MODELS, Model, deeper};

static MUTATED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Breaks the sources, where they are compiled to be broken: mutant `number` from now on.
pub fn mutate(number: usize) {
    MUTATED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Which mutant the sources are.
pub(crate) fn mutated() -> usize {
    MUTATED.load(std::sync::atomic::Ordering::Relaxed)
}
