//! Restartable sequences for Rust: per-CPU operations that cost a few plain instructions.
//!
//! A *restartable sequence* ([`rseq(2)`]) is a short run of instructions that ends with one store,
//! the commit. When the kernel preempts, migrates or signals a thread inside of one, the thread
//! continues at the sequence's abort handler instead. So either the whole sequence ran on one CPU without any
//! other thread in between, or its commit never happened. Data that belongs to a CPU can therefore be
//! changed with plain loads and stores, without atomic instructions and without locks.
//!
//! | module | what is in it |
//! |---|---|
//! | [`abi`] | the kernel's words: offsets, signatures, commands |
//! | [`registration`] | who owns this thread's rseq area, and where it is |
//! | [`cpu`] | the calling CPU, its NUMA node, the concurrency id, without a system call |
//! | [`mod@features`] | what kernel and libc offer, decoded |
//! | [`ops`] | the sequences, one attempt each |
//! | [`percpu`] | memory indexed by CPU; a counter, a stack, a pool and a ring made of it |
//! | [`membarrier`] | the heavy side of an asymmetric barrier, and the restart of all sequences |
//! | [`delay`] | (`--cfg rseq_ops_delay_injection`, for tests) delays *inside* the sequences |
//!
//! Sequences exist for Linux on x86-64, AArch64 and RISC-V 64. Everywhere else, under Miri,
//! ThreadSanitizer and MemorySanitizer, and with `--cfg rseq_ops_portable`, the crate builds,
//! [`registration::current_thread`] answers `None`, and callers take their fallback: atomics.
//! [`registration::SUPPORTED`] says which it is.
//!
//! # In shared objects
//! A program and any number of its plugins can contain this crate, in several versions or copies. The crate has no
//! symbols that clash, and no thread-local data of the model `initial-exec`, for which libc has little room in objects
//! that are loaded later. Under glibc, an object that contains this crate is never unloaded: it asks the loader for
//! that when it is loaded (`RTLD_NODELETE`), because the kernel may look at a sequence's descriptor for some time
//! after the sequence has ended.
//!
//! The crate is `no_std`. Only [`percpu::Pool`] (feature `alloc`, on by default) uses the heap.
//!
//! [`rseq(2)`]: https://github.com/torvalds/linux/blob/master/kernel/rseq.c
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;
#[cfg(test)]
#[macro_use]
extern crate test_deadline;

// So that its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod abi;
mod arch;
mod auxiliary;
pub mod cpu;
pub mod delay;
pub mod features;
mod handle;
mod lookup;
pub mod membarrier;
pub mod ops;
mod outcome;
pub mod percpu;
mod possible_cpus;
mod record;
pub mod registration;

pub use cpu::{concurrency_id, current_cpu, numa_node};
pub use features::{Features, features};
pub use handle::Handle;
pub use registration::{Owner, Process, current_thread, process};
