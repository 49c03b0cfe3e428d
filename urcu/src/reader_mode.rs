//! Which kind of reader is in force, and why.

use core::fmt;

use crate::machine;

/// How the sections of this process are counted, and why so: see [`reader_mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderMode {
    /// Restartable sequences. libc registers every thread with `rseq(2)`.
    LibcRegistered {
        /// CPUs from 0 on that have counters.
        cpus: usize,
    },
    /// Restartable sequences. libc registers no thread (musl, glibc before 2.35, the tunable
    /// `glibc.pthread.rseq=0`), so this library registers each one at its first section.
    SelfRegistered {
        /// CPUs from 0 on that have counters.
        cpus: usize,
    },
    /// Atomic operations, and why.
    Atomics(AtomicsReason),
}

/// Why a process's sections are counted with atomic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtomicsReason {
    /// This build has no restartable sequences: for its processor or system, under Miri,
    /// ThreadSanitizer or MemorySanitizer, or with the feature `portable`.
    NotBuilt,
    /// No thread can be registered: the kernel is without `rseq(2)`, or a filter refuses it.
    NotRegistered,
    /// The kernel, or a filter, refuses the barrier that restarts sequences.
    NoBarrier {
        /// What `membarrier(2)` failed with.
        errno: i32,
    },
}

/// Returns which kind of reader is in force in this process, and why. It is decided once, at the
/// first use of any domain or of this function, and with the features `log` and `tracing` it is told
/// once at the level `debug`, from the first thread that waits for a grace period or runs callbacks.
///
/// It says what sections do as a rule. A single one takes the atomics all the same on a thread that
/// has no registration (any more), on a CPU without counters, and when its sequences are interrupted
/// again and again; [`Stats::fallback_reads`](crate::Stats::fallback_reads) counts those.
///
/// # Async-signal safety
/// Takes no lock and allocates nothing. (To print it may do either.)
///
/// ```
/// use urcu::ReaderMode;
///
/// println!("readers use {}", urcu::reader_mode());
/// if let ReaderMode::Atomics(_) = urcu::reader_mode() {
///     eprintln!("expect some tens of nanoseconds for each section");
/// }
/// ```
pub fn reader_mode() -> ReaderMode {
    machine::reader_mode()
}

/// The mode that is in force.
impl Default for ReaderMode {
    fn default() -> Self {
        reader_mode()
    }
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
