//! For this repository's tests alone: what makes a stress test able to fail.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

pub use rseq_ops::delay::{Point, set as set_delay};

static PLAIN_MEMBARRIER: AtomicBool = AtomicBool::new(false);

/// Makes grace periods use the membarrier command that restarts no sequences, which is wrong:
/// a test must notice.
///
/// # Safety
/// While it is on, grace periods may end too early: nothing may be freed after one.
pub unsafe fn use_plain_membarrier(wrong: bool) {
    PLAIN_MEMBARRIER.store(wrong, Ordering::SeqCst);
}

pub(crate) fn plain_membarrier() -> bool {
    PLAIN_MEMBARRIER.load(Ordering::SeqCst)
}

static SKIPPED: AtomicUsize = AtomicUsize::new(usize::MAX);

/// In the place of a skipped slot's counter.
pub(crate) static NOTHING: AtomicI64 = AtomicI64::new(0);

/// Makes grace periods take the counters of the sequences in one slot for 0, which is wrong: a
/// test must notice.
///
/// # Safety
/// From now on grace periods may end too early, or never: nothing may be freed after one.
pub unsafe fn skip_slot(slot: usize) {
    SKIPPED.store(slot, Ordering::SeqCst);
}

pub(crate) fn skips(slot: usize) -> bool {
    SKIPPED.load(Ordering::Relaxed) == slot
}

static ENDS_UNTIL_LOST: AtomicU64 = AtomicU64::new(0);

/// Makes the end of one section get lost, the given number of slow ends from now (those that find
/// another period than they began in); the grace period that waits for it never ends. Safe, as
/// forgetting a guard is.
pub fn lose_an_end(after: u64) {
    ENDS_UNTIL_LOST.store(after, Ordering::SeqCst);
}

pub(crate) fn loses_this_end() -> bool {
    let left = ENDS_UNTIL_LOST.load(Ordering::Relaxed);
    left != 0 && ENDS_UNTIL_LOST.fetch_sub(1, Ordering::Relaxed) == 1
}
