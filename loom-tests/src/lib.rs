//! Loom models of the sources that `urcu-percpu` ships.
//!
//! All of `urcu/src`, except what is named below, and the stack of `rseq-ops` are compiled unchanged, against an
//! emulated kernel ([`kernel`]) instead of the real one. [`MODELS`] lists the models that run on it; the program
//! `mutants` shows that the models notice faults.
//!
//! Three parts are not compiled: the parts of `sync` and `sys` that the emulated kernel replaces; `stall`, which reads
//! clocks and keeps a table for messages; and `global.rs`, which is a static.

// The shipped sources have features, and functions that no model needs.
#![allow(
    dead_code,
    unused_imports,
    private_interfaces,
    unreachable_pub,
    unexpected_cfgs,
    unfulfilled_lint_expectations
)]
// Loom runs all threads of a model on one thread of the system.
#![allow(clippy::arc_with_non_send_sync)]
// The number of waits before a sleep is 0 here.
#![allow(clippy::absurd_extreme_comparisons)]
// The documentation of the shipped sources is built in their own packages.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::private_intra_doc_links,
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc
)]

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod collections;
mod global;
pub mod kernel;
mod models;
pub mod mutations;
mod percpu;
mod stall;
pub mod table;

/// The sources of `urcu-percpu`.
#[path = "../../urcu/src"]
mod shipped {
    pub(crate) mod callbacks;
    pub(crate) mod cell;
    pub(crate) mod domain;
    pub(crate) mod driver;
    pub(crate) mod gp;
    pub(crate) mod polling;
    pub(crate) mod raw;
    pub(crate) mod settings;
    pub(crate) mod stats;

    /// The first seam. The parts that do not touch the kernel are as shipped.
    pub(crate) mod sync {
        pub(crate) mod fork;
        pub(crate) mod hook;
        pub(crate) mod mutex;
        pub(crate) mod once;
        pub(crate) mod panics;
        pub(crate) mod parker;
        pub(crate) mod rundown;

        pub(crate) use crate::kernel::*;
    }

    /// The second.
    pub(crate) mod sys {
        pub(crate) mod phase;
        pub(crate) mod reader_mode;

        pub(crate) use crate::kernel::*;
        pub(crate) use phase::Phase;
    }
}
// The name under which the collections import the library.
extern crate self as urcu;

use collections::{btree, count, fork, hash, list, lock, queue, reclaim, stack, wfcqueue};
use shipped::{callbacks, cell, domain, driver, gp, polling, raw, settings, stats, sync, sys};
// The paths that the sources' documentation and signatures use.
use cell::{Global, InDomain, Offset, Rcu};
use domain::{Domain, ReadGuard};
use driver::job::Runner;
use settings::Budget;
use stats::Stats;
use sys::reader_mode::{AtomicsReason, ReaderMode};

pub use models::{Checked, MODELS, Model, deeper};

static MUTATED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Switches to mutant `number` from now on, in programs that are compiled with mutants.
pub fn mutate(number: usize) {
    MUTATED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Returns the number of the mutant that is on.
pub(crate) fn mutated() -> usize {
    MUTATED.load(std::sync::atomic::Ordering::Relaxed)
}
