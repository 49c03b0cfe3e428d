//! Who registers threads, and what of those that nobody did.

mod environments;
#[cfg(sequences)]
mod kinds;
#[cfg(not(rseq_ops_portable))]
mod last_error;
mod own;
#[cfg(sequences)]
mod owners;
#[cfg(not(rseq_ops_portable))]
mod unknown_cpus;
