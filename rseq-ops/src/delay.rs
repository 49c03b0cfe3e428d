//! Delays *inside* the sequences, for tests (feature `delay-injection`).
//!
//! A sequence is a handful of instructions: an interrupt hits one of them once in some ten
//! million runs, so a stress test without delays proves nothing. With the feature, every sequence
//! counts down a number at each of its [`Point`]s. Without it this module does nothing and the
//! sequences are as they ship.

/// Where a delay can be. Each lies between the arming and the commit.
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
    /// `copy_through`: the pointer is loaded, nothing is copied.
    CopyThroughLoaded = 4,
    /// The stack's push: the node is linked, the commit is next.
    PushCommit = 5,
    /// The stack's pop: the next node is known, the commit is next.
    PopCommit = 6,
    /// The pool: an object is chosen, the commit is next.
    CacheTakeCommit = 7,
    /// The pool: an object is put back, the commit is next.
    CachePutCommit = 8,
    /// The ring: a record has its header, the commit is next.
    ReserveCommit = 9,
}

/// How many points there are.
pub const POINTS: usize = 10;

impl Point {
    /// All of them, in order.
    pub const ALL: [Point; POINTS] = [
        Point::AddThroughLoaded,
        Point::AddThroughCommit,
        Point::SubIfCurrentCommit,
        Point::AddCommit,
        Point::CopyThroughLoaded,
        Point::PushCommit,
        Point::PopCommit,
        Point::CacheTakeCommit,
        Point::CachePutCommit,
        Point::ReserveCommit,
    ];
}

#[cfg(feature = "delay-injection")]
pub(crate) static LOOPS: [core::sync::atomic::AtomicU64; POINTS] =
    [const { core::sync::atomic::AtomicU64::new(0) }; POINTS];

/// Sets the length of the delay at a point, in iterations of a two-instruction loop; 0 is none.
/// Returns whether delays are compiled in.
pub fn set(point: Point, iterations: u64) -> bool {
    #[cfg(feature = "delay-injection")]
    {
        LOOPS[point as usize].store(iterations, core::sync::atomic::Ordering::Relaxed);
        true
    }
    #[cfg(not(feature = "delay-injection"))]
    {
        let _ = (point, iterations);
        false
    }
}
