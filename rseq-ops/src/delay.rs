//! Delays *inside* the sequences, for tests: builds with `--cfg rseq_ops_delay_injection`.
//!
//! A sequence is a handful of instructions. An interrupt hits one of them once in some ten million runs, so a stress
//! test without delays proves nothing. With this cfg, every sequence counts down a number at each of its [`Point`]s.
//! Without it, this module does nothing and the sequences have no delays.

/// A point where a sequence can be delayed. Each point lies between the arming and the commit.
///
/// ```
/// use rseq_ops::delay::{self, POINTS, Point};
///
/// // Some microseconds before each commit of an addition, if this is a build for tests.
/// if delay::set(Point::AddCommit, 10_000) {
///     println!("this will take its time");
/// }
/// Point::ALL.map(|point| delay::set(point, 0)); // Ends the delays at all POINTS.
/// assert_eq!(Point::ALL.len(), POINTS);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Point {
    /// `add_through`: the pointer is loaded, nothing else is.
    AddThroughLoaded = 0,
    /// `add_through`: everything is computed, the commit is next.
    AddThroughCommit = 1,
    /// `sub_if_current`: the word matched, the commit is next.
    SubIfCurrentCommit = 2,
    /// `add`: everything is computed, the commit is next.
    AddCommit = 3,
    /// `copy_through` and the other copies: the pointer is loaded, nothing is copied.
    CopyThroughLoaded = 4,
    /// `compare_store`: the index matched, the word is not loaded.
    CompareStoreLoaded = 5,
    /// `compare_store`: the word matched, the commit is next.
    CompareStoreCommit = 6,
    /// `pop`: the head is loaded, what it points to is not.
    PopLoaded = 7,
    /// `pop`: everything is loaded, the commit is next.
    PopCommit = 8,
    /// `add_at`: the index matched, the commit is next.
    AddAtCommit = 9,
    /// `compare_two_store`: the first word matched, the second is not loaded.
    CompareTwoStoreLoaded = 10,
    /// `compare_two_store`: both words matched, the commit is next.
    CompareTwoStoreCommit = 11,
    /// `compare_store_store`: the word matched, nothing is stored.
    CompareStoreStoreLoaded = 12,
    /// `compare_store_store`: the first store is done, the commit is next.
    CompareStoreStoreCommit = 13,
    /// `compare_copy_store`: the word matched, nothing is copied.
    CompareCopyStoreLoaded = 14,
    /// `compare_copy_store`: everything is copied, the commit is next.
    CompareCopyStoreCommit = 15,
    /// `add_through_offset`: the first pointer is loaded, the second is not.
    AddThroughOffsetLoaded = 16,
    /// `add_through_offset`: both pointers are loaded, the commit is next.
    AddThroughOffsetCommit = 17,
    /// The stack's push: the node is linked, the commit is next.
    StackPushCommit = 18,
    /// The stack's pop: the next node is known, the commit is next.
    StackPopCommit = 19,
    /// The pool: an object is chosen, the commit is next.
    CacheTakeCommit = 20,
    /// The pool: an object is put back, the commit is next.
    CachePutCommit = 21,
    /// `append_through`: the record is copied, the commit is next.
    AppendCommit = 22,
    /// `replace_through`: the word matched, the commit is next.
    ReplaceCommit = 23,
    /// `lookup`: the bucket is found, nothing of it is loaded.
    LookupBucket = 24,
    /// `lookup`: the key is found, the value is not copied.
    LookupEntry = 25,
    /// `copy_behind_through`: the second pointer is loaded, nothing is copied.
    CopyBehindLoaded = 26,
}

/// The number of points.
pub const POINTS: usize = 27;

impl Point {
    /// All points, in order.
    pub const ALL: [Point; POINTS] = [
        Point::AddThroughLoaded,
        Point::AddThroughCommit,
        Point::SubIfCurrentCommit,
        Point::AddCommit,
        Point::CopyThroughLoaded,
        Point::CompareStoreLoaded,
        Point::CompareStoreCommit,
        Point::PopLoaded,
        Point::PopCommit,
        Point::AddAtCommit,
        Point::CompareTwoStoreLoaded,
        Point::CompareTwoStoreCommit,
        Point::CompareStoreStoreLoaded,
        Point::CompareStoreStoreCommit,
        Point::CompareCopyStoreLoaded,
        Point::CompareCopyStoreCommit,
        Point::AddThroughOffsetLoaded,
        Point::AddThroughOffsetCommit,
        Point::StackPushCommit,
        Point::StackPopCommit,
        Point::CacheTakeCommit,
        Point::CachePutCommit,
        Point::AppendCommit,
        Point::ReplaceCommit,
        Point::LookupBucket,
        Point::LookupEntry,
        Point::CopyBehindLoaded,
    ];
}

/// For each point: the length of its delay, and a mark, not 0, that a sequence leaves there before
/// it delays.
#[cfg(rseq_ops_delay_injection)]
pub(crate) static LOOPS: [[core::sync::atomic::AtomicU64; 2]; POINTS] =
    [const { [const { core::sync::atomic::AtomicU64::new(0) }; 2] }; POINTS];

/// Sets the length of the delay at a point, in iterations of a two-instruction loop. 0 means no delay. The delay holds
/// for all threads, from the next time that they reach the point. Returns whether delays are compiled in.
/// Async-signal-safe.
pub fn set(point: Point, iterations: u64) -> bool {
    #[cfg(rseq_ops_delay_injection)]
    {
        let [length, mark] = &LOOPS[point as usize];
        mark.store(0, core::sync::atomic::Ordering::Relaxed);
        length.store(iterations, core::sync::atomic::Ordering::Relaxed);
        true
    }
    #[cfg(not(rseq_ops_delay_injection))]
    {
        let _ = (point, iterations);
        false
    }
}

/// Returns whether a sequence has reached the delay at a point since the delay was [`set`], even if the sequence was
/// aborted there. With this a test makes sure that a delay had an effect. Always false if delays are not compiled in.
/// Async-signal-safe.
///
/// ```
/// use rseq_ops::delay::{self, Point};
/// use rseq_ops::percpu::Counter;
///
/// let counter = Counter::new().unwrap();
/// let delays = delay::set(Point::AddCommit, 1);
/// assert!(!delay::passed(Point::AddCommit));
/// counter.add(1);
/// let sequences = rseq_ops::current_thread().is_some();
/// assert_eq!(delay::passed(Point::AddCommit), delays && sequences);
/// delay::set(Point::AddCommit, 0);
/// ```
pub fn passed(point: Point) -> bool {
    #[cfg(rseq_ops_delay_injection)]
    {
        LOOPS[point as usize][1].load(core::sync::atomic::Ordering::Relaxed) != 0
    }
    #[cfg(not(rseq_ops_delay_injection))]
    {
        let _ = point;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_points_are_listed_in_order() {
        assert!((0..POINTS).eq(Point::ALL.into_iter().map(|point| point as usize)));
    }
}
