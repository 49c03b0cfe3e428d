//! Memory indexed by CPU, and the structures built on it.
//!
//! | | what it is | what threads on other CPUs get |
//! |---|---|---|
//! | [`Area`] | one stretch of memory for each CPU | |
//! | [`Allocator`], [`PerCpu`] | many small objects, each once for every CPU | shared references |
//! | [`Counter`] | additions without atomics | a sum |
//! | [`Stack`] | an intrusive list | all nodes at once, by a flip and a membarrier |
//! | `Pool` (feature `alloc`) | a cache in front of the global allocator | all kept objects, in the same way |
//! | `Ring` (64-bit processors) | records of any length | the records, by one consumer |
//!
//! Without restartable sequences all of them still work, more slowly, with atomics on separate words.

mod alloc;
mod area;
mod banks;
mod counter;
mod lock;
mod per_cpu;
#[cfg(feature = "alloc")]
mod pool;
#[cfg(target_pointer_width = "64")]
mod ring;
mod stack;
mod sys;

pub use alloc::{Allocator, Fork};
pub use area::{AllocError, Area};
pub use counter::Counter;
pub use per_cpu::{PerCpu, Zeroed};
#[cfg(feature = "alloc")]
pub use pool::{Pool, PoolBox};
#[cfg(target_pointer_width = "64")]
pub use ring::{Consumer, Mode, Record, Reservation, ReserveError, Ring, Totals};
pub use stack::{Node, Stack, TakeAll};

pub use crate::possible_cpus::possible_cpus;
