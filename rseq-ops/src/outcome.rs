//! The answers of sequences, and the orderings of their commits.

/// The outcome of one attempt.
///
/// ```
/// use rseq_ops::ops::{self, Outcome};
///
/// let mut attempts = [Outcome::Aborted, Outcome::Mismatch].into_iter();
/// assert_eq!(ops::retry(|| attempts.next().unwrap()), Outcome::Mismatch);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The commit happened, once, on the CPU whose word it changed.
    Committed,
    /// A compared word was not as expected; nothing was stored.
    Mismatch,
    /// The kernel interrupted the attempt, or the thread no longer has the index that was prepared for. The commit
    /// did not happen.
    Aborted,
}

/// The outcome of one attempt of [`pop`](crate::ops::pop).
///
/// ```
/// use rseq_ops::ops::Popped;
///
/// /// The node, unless another attempt is due.
/// fn node(popped: Popped) -> Option<Option<usize>> {
///     match popped {
///         Popped::Committed(node) => Some(Some(node)),
///         Popped::Mismatch => Some(None), // The list is empty.
///         Popped::Aborted => None,
///     }
/// }
/// assert_eq!(node(Popped::Committed(0x1000)), Some(Some(0x1000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Popped {
    /// The commit happened, once. Holds the address of the node that was the head.
    Committed(usize),
    /// The word held the unwanted value; nothing was stored.
    Mismatch,
    /// The kernel interrupted the attempt, or the thread has another index by now. Nothing was stored.
    Aborted,
}

/// The ordering of a commit: [`Relaxed`] or [`Release`]. On x86-64 both are the same instruction.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Commit, Outcome, Relaxed, Release}};
///
/// /// Adds 1 to a word that nobody else uses.
/// fn add_one(word: &mut usize, commit: impl Commit) -> Option<Outcome> {
///     let handle = Handle::by_cpu()?;
///     // SAFETY: this thread's handle; the word is this thread's alone.
///     Some(ops::retry(|| unsafe {
///         match handle.current_index() {
///             Some(index) => ops::add_at(handle, index, word, 1, commit),
///             None => Outcome::Aborted,
///         }
///     }))
/// }
/// let mut word = 0;
/// let outcomes = [add_one(&mut word, Relaxed), add_one(&mut word, Release)];
/// let committed = outcomes.iter().filter(|o| **o == Some(Outcome::Committed)).count();
/// assert_eq!(word, committed);
/// ```
pub trait Commit: sealed::Commit + Copy {}

/// A commit that orders nothing: for words that only their own index reads, and for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relaxed;

/// A commit that comes after everything that the thread did before: a thread that loads the word with acquire sees all
/// of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Release;

impl Commit for Relaxed {}
impl Commit for Release {}

mod sealed {
    /// Lets the sequences tell the two orderings apart, on processors where that matters.
    #[allow(unreachable_pub)]
    pub trait Commit {
        /// True if the commit is a release.
        #[allow(dead_code, reason = "on x86-64 every store is a release")]
        const RELEASE: bool;
    }

    impl Commit for super::Relaxed {
        const RELEASE: bool = false;
    }

    impl Commit for super::Release {
        const RELEASE: bool = true;
    }
}
