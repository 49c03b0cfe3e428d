//! What the benchmarks, the torture program and tests ask of the machine, and what they share.
//!
//! | | |
//! |---|---|
//! | [`machine`] | what the machine is, and what this process uses of it |
//! | [`affinity`] | the CPUs that threads run on |
//! | [`schedule`] | scheduling policies |
//! | [`threads`] | what threads are, and what they are at |
//! | [`signals`] | handlers, and timers that send signals |
//! | [`seccomp`] | system calls that fail |
//! | [`transient`] | a `membarrier` that fails for a while |
//! | [`poison`] | an allocator that overwrites what is freed |
//! | [`stamped`] | values that show whether they are whole |
//! | [`patience`] | hangs told from busy machines |
//! | [`imports`] | which source file imports which: layers, as tests enforce them |

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

pub mod affinity;
pub mod imports;
pub mod machine;
pub mod patience;
pub mod poison;
#[cfg(target_os = "linux")]
pub mod schedule;
#[cfg(target_os = "linux")]
pub mod seccomp;
#[cfg(target_os = "linux")]
pub mod signals;
pub mod stamped;
#[cfg(target_os = "linux")]
pub mod threads;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub mod transient;
