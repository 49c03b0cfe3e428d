//! What must hold of the collections, for whoever uses them.

#[macro_use]
extern crate test_deadline;

mod support;

mod map_basics;
mod map_drops;
mod map_fork;
mod map_hostile;
mod map_iteration;
mod map_properties;
mod map_resizing;
mod map_restartable;
mod map_threads;
mod ordered;
mod queues;
