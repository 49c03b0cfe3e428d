//! What must hold of the collections, for whoever uses them.
//!
//! All memory is poisoned when it is freed. Stress tests take some tenths of a second each;
//! `URCU_TEST_SECONDS` sets another length.

#[macro_use]
extern crate test_deadline;

mod histories;
mod support;

/// So that whoever reads too late sees it.
#[global_allocator]
static POISONING: urcu_host::poison::Poisoning = urcu_host::poison::Poisoning;

mod coming_from;
mod list_basics;
mod list_drops;
mod list_fork;
mod list_walks;
mod map_basics;
mod map_drops;
mod map_fork;
mod map_histories;
mod map_hostile;
mod map_iteration;
mod map_properties;
mod map_resizing;
mod map_restartable;
mod map_threads;
mod ordered;
mod ordered_hostile;
mod queues;
mod wfcqueues;
mod writers_histories;
