//! What is built of per-CPU memory.

mod counter;
mod memory;
#[cfg(feature = "alloc")]
mod pool;
mod refusals;
#[cfg(target_pointer_width = "64")]
mod ring;
mod stack;
