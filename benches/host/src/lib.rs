//! What the benchmarks, the torture program and the tests share: facts about the machine, and test support.
//!
//! | | |
//! |---|---|
//! | [`machine`] | facts about the machine, and this process's use of it |
//! | [`affinity`] | the CPUs that threads run on |
//! | [`schedule`] | scheduling policies |
//! | [`threads`] | the threads of a process, and what they are doing |
//! | [`signals`] | handlers, and timers that send signals |
//! | [`seccomp`] | system calls that fail |
//! | [`transient`] | a `membarrier` that fails for a while |
//! | [`poison`] | an allocator that overwrites freed memory |
//! | [`stamped`] | values that show whether they are whole |
//! | [`patience`] | time limits that tell a hang from a busy machine |
//! | [`imports`] | imports between source files, for the tests that enforce layers |

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
