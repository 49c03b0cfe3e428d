//! How this process counts its readers.

use rseq_ops::{Handle, Owner, membarrier};

use super::reader_mode::{AtomicsReason, ReaderMode};
#[cfg(any(feature = "log", feature = "tracing"))]
use crate::sync::{AtomicBool, catch_unwind};
use crate::sync::{AtomicU32, Ordering};

/// The way in which this process counts its readers. Decided once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With sequences, and libc registers the threads. On one that it did not register, or whose
    /// registration somebody has ended, the sequences abort.
    AllThreads(Handle),
    /// With sequences, and this library registers each thread before its first one.
    EachThread,
    /// With atomics: the kernel has no sequences, or nothing that restarts them.
    Atomics,
}

/// Returns the mode in force. Readers that use sequences need a writer that can restart them, so the first
/// call registers the process with membarrier too. Async-signal-safe.
pub(crate) fn mode() -> Mode {
    match decided() {
        LIBC => rseq_ops::registration::handle().map_or(Mode::Atomics, Mode::AllThreads),
        OWN => Mode::EachThread,
        _ => Mode::Atomics,
    }
}

const LIBC: u32 = 1;
const OWN: u32 = 2;
/// Atomics, because no thread is registered.
const NOBODY: u32 = 3;
/// Atomics, because the barrier is refused: plus the error in the bits from [`ERROR`] on.
const REFUSED: u32 = 4;
const ERROR: u32 = 8;

/// Returns what was decided for this process, for good.
fn decided() -> u32 {
    static DECIDED: AtomicU32 = AtomicU32::new(0);
    // Acquire: pairs with the release below; whoever knows of it may count on the registration with
    // membarrier, which is the kernel's memory.
    let decided = DECIDED.load(Ordering::Acquire);
    if decided != 0 {
        return decided;
    }
    let sequences = match rseq_ops::process().owner {
        Owner::Nobody => NOBODY,
        Owner::Libc => LIBC,
        Owner::Own => OWN,
    };
    let found = match sequences {
        NOBODY => NOBODY,
        // Registering also issues a barrier, because a filter may allow the registration alone.
        _ => match membarrier::register() {
            Ok(()) => sequences,
            Err(refused) => REFUSED | (refused.0 as u32) << ERROR,
        },
    };
    // Should two first uses disagree, because a filter came between them, the first stays.
    DECIDED
        .compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire)
        .map_or_else(|first| first, |_| found)
}

/// Returns how this process counts its read-side sections, and why.
///
/// This is decided once, at the first use of any domain or of this function. With the feature `log` or
/// `tracing` it is logged once, at level `debug`, by the first thread that waits for a grace period or
/// runs callbacks.
///
/// Single sections may differ: a section uses atomics on a thread that has no registration, on a CPU
/// without counters, and when its sequences are interrupted again and again.
/// [`Stats::fallback_reads`](crate::Stats::fallback_reads) counts those.
///
/// # Async-signal safety
/// Safe in signal handlers: takes no lock and does not allocate. (Printing the result may do both.)
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
    let cpus = rseq_ops::percpu::possible_cpus();
    match decided() {
        LIBC => ReaderMode::LibcRegistered { cpus },
        OWN => ReaderMode::SelfRegistered { cpus },
        NOBODY if !rseq_ops::registration::SUPPORTED => {
            ReaderMode::Atomics(AtomicsReason::NotBuilt)
        }
        NOBODY => ReaderMode::Atomics(AtomicsReason::NotRegistered),
        refused => {
            let errno = (refused >> ERROR) as i32;
            ReaderMode::Atomics(AtomicsReason::NoBarrier { errno })
        }
    }
}

/// Returns the mode in force.
impl Default for ReaderMode {
    fn default() -> Self {
        reader_mode()
    }
}

/// Logs once which kind of reader is in force. Must not be called in a signal handler, nor with anything
/// held: a logger is user code.
pub(crate) fn tell_reader_mode() {
    #[cfg(any(feature = "log", feature = "tracing"))]
    {
        static TOLD: AtomicBool = AtomicBool::new(false);
        // Set before logging, because a logger may use this library itself. Relaxed: nothing else is
        // published with it.
        if !TOLD.load(Ordering::Relaxed) && !TOLD.swap(true, Ordering::Relaxed) {
            let told = catch_unwind(|| {
                #[cfg(feature = "tracing")]
                tracing::debug!(target: "urcu", "readers use {}", reader_mode());
                #[cfg(not(feature = "tracing"))]
                log::debug!(target: "urcu", "readers use {}", reader_mode());
            });
            if let Err(payload) = told {
                crate::sync::panics::discard(payload);
            }
        }
    }
}

/// Returns the calling thread's handle, and registers the thread first if that is this library's task.
/// `None` on a thread without a registration, and on a CPU without a slot.
#[inline]
pub(crate) fn current_thread() -> Option<Handle> {
    if mode() == Mode::Atomics {
        None
    } else {
        rseq_ops::current_thread()
    }
}
