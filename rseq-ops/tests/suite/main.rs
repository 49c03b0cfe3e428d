//! The tests of this crate from outside, in one program.
//!
//! Delays, handlers of signals and limits are the whole process's: a test that changes them holds
//! [`support::alone`] meanwhile, or does it in a process of its own: a fork, or this program again
//! ([`support::again`]). What takes CPUs off line is not in here (`cpu_hotplug`).

#[macro_use]
extern crate test_deadline;

#[cfg(all(target_os = "linux", not(miri)))]
mod copies;
mod documentation;
#[cfg(all(target_os = "linux", not(rseq_ops_portable)))]
mod membarrier;
#[cfg(all(target_os = "linux", not(miri)))]
mod percpu;
#[cfg(target_os = "linux")]
mod registration;
#[cfg(target_os = "linux")]
mod sequences;
#[cfg(target_os = "linux")]
mod support;
