//! What the benchmarks of `urcu-percpu` share: the read-side sections, the grace periods and the
//! updates of the library and of its peers, and the means to measure and report them.
//!
//! `rcu-compare` measures everything side by side in one process, memory in processes of their
//! own; the criterion benches `read_side`, `grace_period` and `updates` follow single figures over
//! time.
//!
//! | | measures |
//! |---|---|
//! | [`sections`] | a read-side section |
//! | [`grace`] | `synchronize` by one caller, beside the plain [`membarrier`] call |
//! | [`sharing`] | `synchronize` by many callers |
//! | [`crowd`] | readers and grace periods where there are many more threads than CPUs |
//! | [`domains`] | barriers that domains share, and the memory they take |
//! | [`updates`] | replacing a value and retiring the old one |
//! | [`reclaim`] | the time from retiring to the drop |
//! | [`memory`] | memory over time while values are replaced |
//!
//! `rcu-torture` injects faults while readers verify what they see: module `torture`, on Linux.

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

pub mod cells;
pub mod child;
pub mod crowd;
mod curves;
pub mod domains;
pub mod floor;
pub mod grace;
pub mod machine;
pub mod measure;
pub mod memb;
pub mod membarrier;
pub mod memory;
pub mod plot;
pub mod reclaim;
pub mod report;
pub mod sections;
pub mod sharing;
pub mod table;
#[cfg(target_os = "linux")]
pub mod torture;
pub mod updates;
pub mod window;
