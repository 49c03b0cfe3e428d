//! The process-wide barrier that restarts sequences.

use core::time::Duration;

use rseq_ops::membarrier::{self, MembarrierError};

use super::mode::{Mode, mode};
use crate::sync::{Ordering, fence};

/// Issues a full barrier on all CPUs that run this process, which restarts all sequences in flight.
/// Callers that come while one is on its way share the next one. Returns whether a system call was made for
/// this caller.
///
/// # Errors
/// If the kernel refuses what it granted at registration: for want of memory, or because of a filter
/// that was installed since. The caller tries again, or tells ([`cannot_end`]) when it holds nothing
/// that others wait for.
pub(crate) fn restart_sequences(
    share: impl FnOnce(fn() -> Result<(), MembarrierError>) -> Result<bool, MembarrierError>,
) -> Result<bool, MembarrierError> {
    if mode() == Mode::Atomics {
        // All readers use atomics, with a fence of their own to pair with this one.
        fence(Ordering::SeqCst);
        return Ok(false);
    }
    share(issue_barrier)
}

fn issue_barrier() -> Result<(), MembarrierError> {
    #[cfg(rseq_ops_delay_injection)]
    if crate::testing::plain_membarrier() {
        return membarrier::barrier();
    }
    membarrier::restart()
}

/// Panics because the barrier is refused: readers count on it, so no grace period can end. To be called
/// without the lead, because the program's panic hook runs here.
#[cold]
#[track_caller]
pub(crate) fn cannot_end(refused: MembarrierError) -> ! {
    if refused.is_passing() {
        panic!(
            "a grace period cannot end: {refused}, again and again for {PATIENCE:?}; the kernel lacks \
             memory for it"
        );
    }
    panic!(
        "a grace period cannot end: {refused}, though the process is registered for it; install \
         system-call filters before the first use of RCU, or allow membarrier"
    );
}

/// The time for which a waiting caller tries again where the barrier is refused for a reason that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
