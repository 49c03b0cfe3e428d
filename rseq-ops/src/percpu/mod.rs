//! Memory indexed by CPU, and what is built on it.

mod alloc;
mod area;
mod counter;
mod machine;
mod per_cpu;

pub use alloc::{Allocator, Fork};
pub use area::{Area, Error, possible_cpus};
pub use counter::Counter;
pub use per_cpu::{PerCpu, Zeroed};
