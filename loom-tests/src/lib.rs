//! Loom models of the sources that `urcu-percpu` ships.
//!
//! All of `urcu/src` but what is named below, and the stack of `rseq-ops`, are compiled unchanged,
//! against an emulated kernel ([`kernel`]) in the place of the real one. [`MODELS`] lists what runs
//! on it; the program `mutants` shows that the models would notice if something were missing.
//!
//! Not compiled are what of `sync` and `sys` the kernel replaces; `stall`, which looks at clocks and keeps
//! a table for messages; and `global.rs`, which is a static.

// The shipped sources have functions that no model needs, and features.
#![allow(
    dead_code,
    unused_imports,
    private_interfaces,
    unreachable_pub,
    unexpected_cfgs,
    unfulfilled_lint_expectations
)]
// Loom's threads are all one.
#![allow(clippy::arc_with_non_send_sync)]
// How often is waited is nought here.
#![allow(clippy::absurd_extreme_comparisons)]
// Their documentation is made where they ship.
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

/// What `urcu-percpu` ships.
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

    /// The first seam: what is not the kernel's is as shipped.
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
// As which the collections know it.
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

/// Breaks the sources, where they are compiled to be broken: mutant `number` from now on.
pub fn mutate(number: usize) {
    MUTATED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Which mutant the sources are.
pub(crate) fn mutated() -> usize {
    MUTATED.load(std::sync::atomic::Ordering::Relaxed)
}
