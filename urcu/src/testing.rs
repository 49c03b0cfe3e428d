//! For this repository's tests alone: what makes a stress test able to fail.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;

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

static GUESSES: AtomicBool = AtomicBool::new(false);

/// Makes the sections of domains that are first used from now on count by guesses, as on processors that
/// do not rename memory.
pub fn count_by_guesses(guess: bool) {
    GUESSES.store(guess, Ordering::SeqCst);
}

pub(crate) fn guesses() -> bool {
    GUESSES.load(Ordering::SeqCst)
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
/// another phase than they began in); the grace period that waits for it never ends. Safe, as
/// forgetting a guard is.
pub fn lose_an_end(after: u64) {
    ENDS_UNTIL_LOST.store(after, Ordering::SeqCst);
}

pub(crate) fn loses_this_end() -> bool {
    let left = ENDS_UNTIL_LOST.load(Ordering::Relaxed);
    left != 0 && ENDS_UNTIL_LOST.fetch_sub(1, Ordering::Relaxed) == 1
}

std::thread_local! {
    /// The number of locks that this thread takes until it keeps one; 0: it does not.
    static UNTIL_HELD: Cell<u64> = const { Cell::new(0) };
}

/// True while a thread keeps a lock.
static HOLDS: AtomicBool = AtomicBool::new(false);

/// Makes the calling thread stop inside the given one of the locks that it takes from now on (1: the
/// next), until [`let_go`]. Locks are those on the heap, those of the hooks, and the use of a
/// domain's state by its tasks, for which its end waits.
pub fn hold(number: u64) {
    UNTIL_HELD.set(number);
}

/// Returns whether a thread has stopped inside a lock.
pub fn holds() -> bool {
    HOLDS.load(Ordering::SeqCst)
}

/// Lets that thread go on.
pub fn let_go() {
    HOLDS.store(false, Ordering::SeqCst);
}

/// Called inside every lock.
pub(crate) fn locked() {
    let left = UNTIL_HELD.get();
    UNTIL_HELD.set(left.saturating_sub(1));
    if left == 1 {
        HOLDS.store(true, Ordering::SeqCst);
        while HOLDS.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
