//! The parts of the system that the library needs: memory that a fork wipes, the CPUs' slots, the
//! restartable sequences, and the barrier that restarts them. The loom models replace this module by an
//! emulated kernel.

mod barrier;
mod environment;
mod log;
mod memory;
mod mode;
mod phase;
pub(crate) mod reader_mode;
mod sequences;
mod slots;
pub(crate) mod threads;
mod tuning;

pub(crate) use rseq_ops::Handle;
pub(crate) use rseq_ops::membarrier::MembarrierError;
pub(crate) use rseq_ops::ops::{Appended, COPY_MAX, Outcome, Record};
pub(crate) use rseq_ops::percpu::Zeroed;

pub(crate) use barrier::{PATIENCE, cannot_end, restart_sequences};
pub(crate) use environment::budget_variable;
pub(crate) use log::say;
pub(crate) use memory::{allocate, free};
pub use mode::reader_mode;
pub(crate) use mode::{Mode, current_thread, mode, tell_reader_mode};
pub(crate) use phase::Phase;
pub(crate) use sequences::{
    BIAS as WAY_BIAS, add_through, append, copy_behind_through, copy_part_through, copy_through,
    enter_section, exit_section, replace_chunk, sub, sub_if_current, way,
};
#[cfg(target_pointer_width = "64")]
pub(crate) use slots::STORES;
pub(crate) use slots::{
    SHIFT as SLOT_SHIFT, allocate_slots, buffer, cpu, free_slots, net, shared, slots, stripe,
    waiter,
};
/// The library's own threads.
pub(crate) use threads as thread;
pub(crate) use threads::start as start_thread;
pub(crate) use tuning::{CHUNK, INVOKE_BATCH, SPINS};
