//! Everything that must hold for users of the library, in one binary that can run itself again in
//! other environments.
//!
//! Stress tests take some tenths of a second each; `URCU_TEST_SECONDS` sets another length. All
//! memory is poisoned when it is freed (`support::allocator`). With `--cfg
//! rseq_ops_delay_injection` the torture test puts delays inside the sequences.

#[macro_use]
extern crate test_deadline;

mod support;

mod asynchronous;
mod callbacks;
mod callers;
mod cells;
#[cfg(all(target_os = "linux", not(miri)))]
mod cpus;
mod deadlines;
mod domains;
mod environments;
mod first_use;
mod fork;
mod held_up;
mod hostile;
mod hotplug;
mod in_force;
mod migration;
mod passing;
#[cfg(target_env = "gnu")]
mod plugins;
mod polling;
#[cfg(all(target_os = "linux", not(miri)))]
mod raw;
mod reader_mode;
mod refusal;
#[cfg(rseq_ops_delay_injection)]
mod registration;
#[cfg(all(target_os = "linux", not(miri)))]
mod retire;
mod sections;
mod sharing;
mod signals;
mod stalls;
mod stats;
mod structures;
mod threads;
mod tls;
mod torture;
