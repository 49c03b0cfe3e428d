//! Memory indexed by CPU, and what is built on it.

mod alloc;
mod area;
mod counter;
mod machine;
mod per_cpu;
#[cfg(feature = "alloc")]
mod pool;
#[cfg(target_pointer_width = "64")]
mod ring;
mod stack;

pub use alloc::{Allocator, Fork};
pub use area::{Area, Error, possible_cpus};
pub use counter::Counter;
pub use per_cpu::{PerCpu, Zeroed};
#[cfg(feature = "alloc")]
pub use pool::{Pool, PoolBox};
#[cfg(target_pointer_width = "64")]
pub use ring::{Consumer, Mode, NotReserved, Record, Reservation, Ring, Totals};
pub use stack::{Node, Stack, TakeAll};
