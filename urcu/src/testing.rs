//! For this repository's tests alone: what makes a stress test able to fail.

use core::sync::atomic::{AtomicBool, Ordering};

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
