//! The default collector, which every thread can use.

use crate::collector::Collector;
use crate::guard::Guard;
use crate::local;

/// Pins the calling thread: makes a guard of the [`default_collector`].
///
/// If the thread has no guard yet, this is also a sequentially consistent fence (except with the feature
/// `relaxed-pin`).
///
/// It works as long as the thread runs, also in destructors of thread-local data.
///
/// # Panics
/// Panics at the first use, if the system has no memory for the readers' counters.
///
/// ```
/// use crossbeam_epoch as epoch;
///
/// let guard = epoch::pin();
/// assert!(epoch::is_pinned());
/// drop(guard);
/// assert!(!epoch::is_pinned());
/// ```
#[inline(always)]
#[track_caller]
pub fn pin() -> Guard {
    local::pin_thread()
}

/// Returns whether the calling thread has a guard of the [`default_collector`].
///
/// ```
/// assert!(!crossbeam_epoch::is_pinned());
/// ```
#[inline]
pub fn is_pinned() -> bool {
    local::is_thread_pinned()
}

/// Returns the collector of [`pin`].
///
/// ```
/// use crossbeam_epoch as epoch;
/// assert_eq!(epoch::pin().collector(), Some(epoch::default_collector()));
/// ```
pub fn default_collector() -> &'static Collector {
    static DEFAULT: Collector = Collector::default_one();
    &DEFAULT
}
