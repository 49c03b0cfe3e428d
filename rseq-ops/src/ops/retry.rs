//! Repeats attempts, a bounded number of times.

use crate::lookup::Lookup;
use crate::outcome::{Outcome, Popped};

/// The answer of an attempt: [`Outcome`], [`Popped`], [`Lookup`], or the `Option` of
/// [`add_through`](super::add_through).
///
/// ```
/// use rseq_ops::ops::{self, Attempt, Outcome, Popped};
///
/// /// Tries twice as hard, for whatever there is to try.
/// fn patiently<A: Attempt>(mut attempt: impl FnMut() -> A) -> A {
///     ops::retry(&mut attempt);
///     ops::retry(attempt)
/// }
/// assert_eq!(patiently(|| Outcome::Committed), Outcome::Committed);
/// assert_eq!(patiently(|| Popped::Mismatch), Popped::Mismatch);
/// assert_eq!(patiently(|| Some(7)), Some(7));
/// ```
pub trait Attempt: sealed::Attempt {}

impl Attempt for Outcome {}
impl Attempt for Popped {}
impl Attempt for Lookup {}
impl<T> Attempt for Option<T> {}

/// The largest number of attempts that [`retry`] makes.
pub const ATTEMPTS: u32 = 16;

/// Makes attempts until one is not aborted, but at most [`ATTEMPTS`]. Returns the last answer. If even that
/// one is aborted, the caller should take a way that always ends.
///
/// ```
/// use rseq_ops::ops::{self, Outcome};
///
/// let mut tries = 0;
/// let outcome = ops::retry(|| {
///     tries += 1;
///     Outcome::Aborted // Somebody steps through this with a debugger.
/// });
/// assert_eq!((outcome, tries), (Outcome::Aborted, ops::ATTEMPTS));
/// ```
#[inline]
pub fn retry<A: Attempt>(mut attempt: impl FnMut() -> A) -> A {
    for _ in 1..ATTEMPTS {
        let answer = attempt();
        if !answer.aborted() {
            return answer;
        }
    }
    attempt()
}

mod sealed {
    /// For [`super::retry`].
    #[allow(unreachable_pub)]
    pub trait Attempt {
        /// Returns whether the attempt was aborted.
        fn aborted(&self) -> bool;
    }

    impl Attempt for crate::outcome::Outcome {
        fn aborted(&self) -> bool {
            *self == crate::outcome::Outcome::Aborted
        }
    }

    impl Attempt for crate::outcome::Popped {
        fn aborted(&self) -> bool {
            *self == crate::outcome::Popped::Aborted
        }
    }

    impl Attempt for crate::lookup::Lookup {
        fn aborted(&self) -> bool {
            *self == crate::lookup::Lookup::Aborted
        }
    }

    impl<T> Attempt for Option<T> {
        fn aborted(&self) -> bool {
            self.is_none()
        }
    }
}
