//! Everything that must hold for users of the library, in one binary that can run itself again in
//! other environments.
//!
//! Stress tests take some tenths of a second each; `URCU_TEST_SECONDS` sets another length. All
//! memory is poisoned when it is freed (`allocator`). With the feature `delay-injection` the torture
//! test puts delays inside the sequences.

#[macro_use]
extern crate test_deadline;

mod allocator;
mod support;

mod asynchronous;
mod callbacks;
mod callbacks_budget;
mod callbacks_rules;
mod callbacks_runners;
mod callbacks_stress;
mod callbacks_ways;
mod callers;
mod cells;
mod cells_exchange;
mod cells_kinds;
mod cells_parts;
mod cells_traits;
#[cfg(all(target_os = "linux", not(miri)))]
mod cpus;
mod deadlines;
mod domains;
mod environments;
mod first_use;
mod fork;
#[cfg(target_arch = "x86_64")]
mod fork_at_every_instruction;
mod fork_in_handlers;
#[cfg(all(target_os = "linux", not(miri)))]
mod fork_in_std;
mod fork_with_locks;
mod forked;
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
#[cfg(feature = "delay-injection")]
mod registration;
#[cfg(all(target_os = "linux", not(miri)))]
mod retire;
mod sections;
mod sharing;
mod signals;
mod stalls;
mod stats;
mod threads;
mod tls;
mod torture;
