//! What the library needs of the system it runs on: memory that a fork wipes, the CPUs' slots, the
//! restartable sequences, and the barrier that restarts them. The loom models have another module of
//! this name, which emulates a kernel.

mod barrier;
mod environment;
mod log;
mod memory;
mod mode;
pub(crate) mod reader_mode;
mod sequences;
mod slots;
pub(crate) mod threads;

pub(crate) use rseq_ops::Handle;
pub(crate) use rseq_ops::membarrier::MembarrierError;
pub(crate) use rseq_ops::ops::{Appended, COPY_MAX, Outcome, Record};
pub(crate) use rseq_ops::percpu::Zeroed;

pub(crate) use barrier::{PATIENCE, cannot_end, restart_sequences};
pub(crate) use environment::{budget_variable, environment_variable};
pub(crate) use log::say;
pub(crate) use memory::{allocate, free};
pub(crate) use mode::{Mode, current_thread, mode, reader_mode, tell_reader_mode};
pub(crate) use sequences::{
    add_through, append, copy_through, enter_section, exit_section, replace_chunk, sub,
    sub_if_current, way,
};
pub(crate) use threads::start as start_thread;
/// The library's own threads.
pub(crate) mod thread {
    pub(crate) use super::threads::{Thread, park};
}
#[cfg(target_pointer_width = "64")]
pub(crate) use slots::STORES;
pub(crate) use slots::{
    PHASE_BIT, allocate_slots, buffer, cpu, free_slots, net, shared, slots, stripe, waiter,
};

/// Bytes of a chunk of callbacks, and its alignment.
pub(crate) const CHUNK: usize = 4096;

/// How many callbacks are run at a time: fewer than the objects of a size that allocators keep for a
/// thread (7 in glibc), so that what is freed is what is allocated next.
pub(crate) const INVOKE_BATCH: usize = 6;

/// How many slots a writer looks at before it sleeps: a few microseconds, however many CPUs.
pub(crate) const SPINS: u32 = 256;
