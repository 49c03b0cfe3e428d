//! The kind of reader that is in force, and the reason.

use core::fmt;

/// The way in which this process counts its read-side sections: see [`reader_mode`](fn@crate::reader_mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderMode {
    /// Restartable sequences. libc registers every thread with `rseq(2)`.
    LibcRegistered {
        /// The number of CPUs that have counters: those numbered from 0 to `cpus - 1`.
        cpus: usize,
    },
    /// Restartable sequences. libc registers no thread (musl, glibc before 2.35, the tunable
    /// `glibc.pthread.rseq=0`), so this library registers each one at its first section.
    SelfRegistered {
        /// The number of CPUs that have counters: those numbered from 0 to `cpus - 1`.
        cpus: usize,
    },
    /// Atomic operations, for this reason.
    Atomics(AtomicsReason),
}

/// The reason for which a process counts its read-side sections with atomic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtomicsReason {
    /// This build has no restartable sequences: for its processor or system, under Miri,
    /// ThreadSanitizer or MemorySanitizer, or with `--cfg rseq_ops_portable`.
    NotBuilt,
    /// No thread can be registered: the kernel is without `rseq(2)`, or a filter refuses it.
    NotRegistered,
    /// The kernel, or a filter, refuses the `membarrier(2)` command that restarts sequences.
    NoBarrier {
        /// The error number of `membarrier(2)`.
        errno: i32,
    },
}

impl fmt::Display for ReaderMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, cpus) = match self {
            ReaderMode::LibcRegistered { cpus } => ("registered by libc", cpus),
            ReaderMode::SelfRegistered { cpus } => ("registered at their first sections", cpus),
            ReaderMode::Atomics(reason) => return write!(f, "atomics, because {reason}"),
        };
        write!(
            f,
            "restartable sequences on threads {who}, by CPU number from 0 to {}",
            cpus - 1
        )
    }
}

impl fmt::Display for AtomicsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtomicsReason::NotBuilt => f.write_str("this build has no restartable sequences"),
            AtomicsReason::NotRegistered => f.write_str("no thread can be registered with rseq(2)"),
            AtomicsReason::NoBarrier { errno } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "membarrier(2) is refused: {error}")
            }
        }
    }
}
