//! The common parts of the benchmarks of `urcu-percpu`: the library and its peers as subjects, their reads, grace
//! periods and updates, and the tools to measure and report them.
//!
//! `rcu-compare` measures everything side by side in one process, except memory, which it measures in processes of
//! their own. The criterion benches `read_side`, `grace_period` and `updates` follow single figures over time.
//!
//! | | measures |
//! |---|---|
//! | [`results::read_side`] | a read-side section of each of the [`subjects`] |
//! | [`results::scaling`] | read-side sections by many threads |
//! | [`results::mixed`] | reads and updates by two threads, in sections of some length |
//! | [`results::grace`] | `synchronize` by one caller ([`grace`]), beside the plain [`membarrier`] call |
//! | [`results::sharing`] | `synchronize` by many callers |
//! | [`results::crowd`] | readers and grace periods with many more threads than CPUs |
//! | [`results::domains`] | barriers that domains share, and the memory they take |
//! | [`results::updates`] | replacing a value and retiring the old one |
//! | [`results::reclaim`] | the time from retiring to the drop |
//! | [`results::memory`] | memory over time while values are replaced |
//! | [`results::hash_map`], [`results::ordered_map`], [`results::queues`] | [`structures`]: lookups, changes, growth, memory |
//! | [`results::reload`] | reads of a large value that is replaced over and over: latencies, staleness |
//!
//! A [`run`] is kept in a file; [`page`] and [`publish`] present it.
//!
//! `rcu-torture` injects faults while readers verify what they see: package `urcu-torture`.

#![cfg(feature = "compare")]

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod bars;
pub mod cells;
pub mod child;
mod curves;
pub mod floor;
pub mod grace;
pub mod losses;
pub mod measure;
pub mod memb;
pub mod membarrier;
pub mod page;
pub mod plots;
pub mod publish;
pub mod record;
pub mod report;
pub mod results;
pub mod run;
pub mod scale;
pub mod structures;
pub mod subject;
pub mod subjects;
pub mod table;
pub mod target;
pub mod tasks;
pub mod window;
