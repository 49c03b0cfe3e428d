//! The sequences, one attempt each.
//!
//! There are two families.
//!
//! **By stride**: the calling CPU's word is `base + (cpu << SHIFT)`, found inside the sequence, and
//! `1 << SHIFT` bytes is the stride of the memory ([`crate::percpu::Area`]). These are the shortest.
//!
//! One unsigned comparison with the bound of the [`Handle`] aborts the attempt on a thread that is
//! not registered (any more), whose CPU number is negative, and on a CPU beyond the bound, which has
//! no word.
//!
//! | | in one sequence |
//! |---|---|
//! | [`add`] | `*word(base) += delta` |
//! | [`add_through`] | `p = *source; *word(p) += 1` |
//! | [`sub_if_current`] | `if *source == p { *word(p) -= 1 }` |
//! | [`copy_through`] | `p = *source; *target = *p` (no word; aborts without a registration) |
//!
//! **With an index**: the caller asks for its index ([`Handle::current_index`]), prepares pointers
//! for it, and passes both. The sequence first compares the index with the thread's, and is given
//! up where the thread has moved: the retry is with the new index.
//!
//! | | in one sequence, all for `index` only |
//! |---|---|
//! | [`compare_store`] | `if *word == expected { *word = new }` |
//! | [`compare_two_store`] | `if *word == expected && *other == other_expected { *word = new }` |
//! | [`compare_store_store`] | `if *word == expected { *first = first_new; *word = new }` |
//! | [`compare_copy_store`] | `if *word == expected { copy(source, target, size); *word = new }` |
//! | [`pop`] | `if *word != unwanted { head = *word; *word = *(head + offset) }` |
//! | [`add_at`] | `*word += delta` |
//! | [`add_through_offset`] | `**(*source + offset) += delta` |
//!
//! The index is the CPU number ([`Handle::by_cpu`], the same as [`crate::current_thread`]) or the
//! concurrency id ([`Handle::by_concurrency_id`], which see for what it cannot tell). One structure
//! is used with one kind of index only. The first family goes by CPU number whatever the handle.
//!
//! # Attempts
//! An attempt is given up ([`Outcome::Aborted`]) when the kernel interrupts it. Callers try again
//! *a bounded number of times* ([`retry`]), because a debugger or a signal storm can interrupt for
//! ever, and then take a way that always ends: an atomic operation on *another* word. On one word,
//! a plain addition would lose an atomic one that came between its load and its store.
//!
//! Where there are no sequences at all, [`Handle::by_cpu`] and its like answer `None`, and that
//! other way is the only one.
//!
//! None takes a lock, allocates or makes a system call: all are async-signal-safe. A handler may
//! run them on the very words that the sequence it interrupted works on; that one starts over.
//!
//! # Orderings
//! Loads of the pointers above, and of the words that the second family compares, are acquires;
//! that of a word that is added to is relaxed. In the first family the commits of
//! [`sub_if_current`] and [`add`] are releases, and that of [`add_through`] is ordered by
//! [`crate::membarrier`] alone; in the second the caller chooses [`Relaxed`] or [`Release`].
//! Threads that have the same index one after the other need neither: what one did, the next one
//! sees. They are for those who look, or store, from elsewhere.
//!
//! # Safety of the sequences with an index
//! * `handle` is the calling thread's (or the process's, where libc registers threads), and
//!   `index` comes from [`Handle::current_index`]. If the handle's index is the concurrency id, the
//!   thread is registered still.
//! * Words are aligned and valid for the reads and writes that the sequence makes if `index` is
//!   the thread's index when it runs. If it is not, nothing but the thread's own area is touched.
//! * A word that is stored to is stored to by sequences with the same kind of handle and the same
//!   index alone. Anybody may load it with an atomic load. Anybody may store to it atomically as
//!   long as no sequence commits to it meanwhile: say, a lock's holder, while all others compare
//!   with "free".

mod indexed;
pub use indexed::*;

use core::mem::MaybeUninit;
use core::num::NonZeroUsize;

use crate::{arch, registration::Handle};

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The commit happened, once, on the CPU whose word it changed.
    Committed,
    /// A compared word was not as expected; nothing was stored.
    Mismatch,
    /// The kernel interrupted, or the thread has another index than the one prepared for; the
    /// commit did not happen.
    Aborted,
}

/// What became of one attempt of [`pop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Popped {
    /// The commit happened, once; this was the head.
    Committed(usize),
    /// The word held the unwanted value; nothing was stored.
    Mismatch,
    /// The kernel interrupted, or the thread has another index; nothing was stored.
    Aborted,
}

/// How a commit is ordered: [`Relaxed`] or [`Release`]. On x86-64 both are the same instruction.
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

/// A commit after everything that the thread did before: who loads the word with an acquire sees
/// that too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Release;

impl Commit for Relaxed {}
impl Commit for Release {}

mod sealed {
    /// For the sequences of processors that tell the two apart.
    #[allow(unreachable_pub)]
    pub trait Commit {
        /// Whether the commit is a release.
        #[allow(dead_code)]
        const RELEASE: bool;
    }

    impl Commit for super::Relaxed {
        const RELEASE: bool = false;
    }

    impl Commit for super::Release {
        const RELEASE: bool = true;
    }

    /// For [`super::retry`].
    #[allow(unreachable_pub)]
    pub trait Attempt {
        /// Whether the attempt was given up.
        fn aborted(&self) -> bool;
    }

    impl Attempt for super::Outcome {
        fn aborted(&self) -> bool {
            *self == super::Outcome::Aborted
        }
    }

    impl Attempt for super::Popped {
        fn aborted(&self) -> bool {
            *self == super::Popped::Aborted
        }
    }

    impl<T> Attempt for Option<T> {
        fn aborted(&self) -> bool {
            self.is_none()
        }
    }
}

/// The answer of an attempt: [`Outcome`], [`Popped`], or the `Option` of [`add_through`].
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
impl<T> Attempt for Option<T> {}

/// How often [`retry`] tries.
pub const ATTEMPTS: u32 = 16;

/// Makes attempts until one is not aborted, [`ATTEMPTS`] at most; the last answer. Whoever gets
/// an aborted one takes a way that always ends.
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

/// Loads a pointer from `source`, adds 1 to this CPU's word relative to it, and returns the
/// pointer and the word's new value; `None` for an abort, and where the pointer is null.
///
/// The load and the addition are one sequence. So a thread that changes `source` and then calls
/// [`crate::membarrier::restart`] knows that no addition through the old pointer happens any more.
///
/// Fastest where the word is 0 (the value is guessed; any other value is right too, and takes as
/// long as a plain increment).
///
/// # Safety
/// * `handle` is this process's, or inert. On a thread without a registration the attempt is
///   aborted, unless a signal handler **registers** the thread in the middle of it: it would commit
///   unprotected then. So where this crate registers threads ([`crate::Owner::Own`]),
///   [`crate::current_thread`] has answered on this thread before; where libc does, no handler
///   calls `rseq(2)` by itself.
/// * `source` is valid for reads and holds null or a pointer `p` such that for every index below the
///   handle's bound, `p + (index << SHIFT)` is an aligned 8-byte word that is written
///   by such sequences alone, atomic loads aside.
/// * What a replaced pointer pointed to stays valid until [`crate::membarrier::restart`].
///
/// Cost: three loads, a comparison, an addition and two stores, none of them atomic; no call.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use rseq_ops::{current_thread, membarrier, ops, percpu::Area};
///
/// // Two sets of words; `source` says which one is in use.
/// let sets = [Area::new(0, 1 << 7).unwrap(), Area::new(0, 1 << 7).unwrap()];
/// let [first, second] = sets.each_ref().map(|area| area.base().expose_provenance().get());
/// let source = AtomicUsize::new(first);
/// if let Some(handle) = current_thread() {
///     // SAFETY: this thread's handle; the areas have this stride, and sequences alone write there.
///     let added = ops::retry(|| unsafe { ops::add_through::<7>(handle, source.as_ptr()) });
///     if let Some((set, value)) = added {
///         assert_eq!((set.get(), value), (first, 1));
///     }
///     if membarrier::register().is_ok() {
///         source.store(second, Ordering::Release);
///         membarrier::restart().unwrap();
///         // From here on nothing is added to the first set.
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn add_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> Option<(NonZeroUsize, u64)> {
    // SAFETY: the same conditions.
    let (pointer, value) = unsafe { arch::add_through::<SHIFT>(handle, source) };
    Some((NonZeroUsize::new(pointer)?, value))
}

/// If `source` holds `expected`, subtracts 1 from this CPU's word relative to it.
///
/// Fastest where the word is `guess`, which may be anything: what [`add_through`] returned, say.
///
/// # Safety
/// As for [`add_through`], with `expected` in the place of the pointer there.
///
/// Cost: as [`add_through`].
///
/// ```
/// use std::sync::atomic::AtomicUsize;
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::Area};
///
/// let area = Area::new(0, 1 << 7).unwrap();
/// let source = AtomicUsize::new(area.base().expose_provenance().get());
/// if let Some(handle) = current_thread() {
///     // SAFETY: this thread's handle; the area has this stride, and sequences alone write there.
///     unsafe {
///         if let Some((area, value)) = ops::add_through::<7>(handle, source.as_ptr()) {
///             // What was added on one CPU may be subtracted on another: the sum counts.
///             let outcome = ops::retry(|| {
///                 ops::sub_if_current::<7>(handle, source.as_ptr(), area.get(), value)
///             });
///             assert_ne!(outcome, Outcome::Mismatch); // `source` is still the same.
///         }
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: the same conditions.
    unsafe { arch::sub_if_current::<SHIFT>(handle, source, expected, guess) }
}

/// Adds `delta` to this CPU's word relative to `base`.
///
/// # Safety
/// As for [`add_through`], with `base` in the place of the pointer there.
///
/// Cost: two loads, a store, and an addition to memory without `lock`.
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::Area};
///
/// let area = Area::new(0, 1 << 7).unwrap();
/// let base = area.base().expose_provenance().get();
/// // For what the sequences do not do. Never the same word.
/// let shared = AtomicI64::new(0);
/// let count = |delta| {
///     let added = current_thread().is_some_and(|handle| {
///         // SAFETY: this thread's handle; the area has this stride, and sequences alone write there.
///         let outcome = ops::retry(|| unsafe { ops::add::<7>(handle, base, delta) });
///         outcome == Outcome::Committed
///     });
///     if !added {
///         shared.fetch_add(delta, Ordering::Relaxed);
///     }
/// };
/// (0..100).for_each(count);
/// let words = (0..area.cpus()).map(|cpu| {
///     let word = std::ptr::with_exposed_provenance::<AtomicI64>(base + (cpu << 7));
///     // SAFETY: a word of the area.
///     unsafe { &*word }.load(Ordering::Relaxed)
/// });
/// assert_eq!(words.sum::<i64>() + shared.into_inner(), 4950);
/// ```
#[inline(always)]
pub unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: the same conditions.
    unsafe { arch::add::<SHIFT>(handle, base, delta) }
}

/// What [`append_through`] copies: 32 bytes, any of which may be uninitialised.
pub type Record = [MaybeUninit<u64>; 4];

/// What became of an [`append_through`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is in; the buffer's new end.
    At(usize),
    /// There is no place; the word was this: 0, or the end of a buffer that is full.
    Full(usize),
    /// The sequence was interrupted, or the pointer is null; it did nothing.
    Aborted,
}

/// Appends `record` to this CPU's buffer, in one sequence: loads a pointer from `source`, finds
/// this CPU's word `OFFSET` bytes behind where that points, relative to it; the word is the
/// buffer's end, where the record is copied to, and moves on by the record's size.
///
/// A buffer is aligned to its `SIZE`, so it is full when its end is a multiple of that; a word of 0
/// is no buffer. [`replace_through`] puts another one there. As with [`add_through`], whoever
/// changes `source` and restarts all sequences has the buffers of the old pointer alone.
///
/// # Safety
/// As for [`add_through`], with words that are 0 or ends of buffers as described, valid for writes
/// by such sequences alone. `record` is valid for reads.
///
/// ```
/// use rseq_ops::ops::{self, Appended, Outcome, Record};
/// use rseq_ops::percpu::{Allocator, Fork, PerCpu};
/// use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// #[repr(align(4096))]
/// struct Buffer([u8; 4096]);
/// let (mut buffer, words) = (
///     Box::new(Buffer([0; 4096])),
///     PerCpu::<AtomicU64>::zeroed(Allocator::global()).unwrap(),
/// );
/// const SHIFT: u32 = PerCpu::<AtomicU64>::SHIFT;
/// if let Some(handle) = rseq_ops::current_thread() {
///     let (source, start) = (words.base().expose_provenance(), (&raw mut *buffer).expose_provenance());
///     let record: Record = [1u64, 2, 3, 4].map(core::mem::MaybeUninit::new);
///     // SAFETY: this thread's handle; words that nobody else uses, a buffer that outlives this.
///     unsafe {
///         let append = || ops::append_through::<SHIFT, 0, 4096>(handle, &source, &record);
///         if append() == Appended::Full(0) {
///             // Room for one record: the last 32 bytes.
///             let replaced = ops::replace_through::<SHIFT, 0>(handle, &source, 0, start + 4096 - 32);
///             if replaced == Outcome::Committed && append() == Appended::At(start + 4096) {
///                 assert!(matches!(append(), Appended::Full(_) | Appended::Aborted));
///             }
///         }
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn append_through<const SHIFT: u32, const OFFSET: usize, const SIZE: usize>(
    handle: Handle,
    source: *const usize,
    record: *const Record,
) -> Appended {
    const {
        assert!(SIZE.is_power_of_two() && SIZE >= size_of::<Record>() && SIZE <= 1 << 30);
        assert!(OFFSET < 1 << 30);
    }
    // SAFETY: the same conditions.
    match unsafe { arch::append_through::<SHIFT, OFFSET, SIZE>(handle, source, record) } {
        (0, end) => Appended::Full(end),
        (1, _) => Appended::Aborted,
        (next, _) => Appended::At(next),
    }
}

/// Stores `new` in this CPU's word, `OFFSET` bytes behind where the pointer in `source` points,
/// relative to it, if the word is `expected`: gives the CPU another buffer. See
/// [`append_through`] for an example.
///
/// # Safety
/// As for [`append_through`].
#[inline(always)]
pub unsafe fn replace_through<const SHIFT: u32, const OFFSET: usize>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    new: usize,
) -> Outcome {
    // SAFETY: the same conditions.
    unsafe { arch::replace_through::<SHIFT, OFFSET>(handle, source, expected, new) }
}

/// The largest copy that [`copy_through`] is meant for. Bytes. A longer one would be interrupted
/// too often to end.
///
/// ```
/// let record = [0u8; 200];
/// assert!(record.len() <= rseq_ops::ops::COPY_MAX);
/// ```
pub const COPY_MAX: usize = 1024;

/// Loads a pointer from `source` and copies `size` bytes from there to `target`, in one sequence:
/// a read-side section without a counter. A thread that replaced the pointer may free what it
/// pointed to as soon as [`crate::membarrier::restart`] has returned.
///
/// `size` should be a constant. Sizes of 1, 2, 4 and multiples of 8 up to 64 bytes are straight
/// moves, others a string instruction (some ten nanoseconds more). After [`Outcome::Aborted`] the
/// contents of `target` are unspecified.
///
/// # Safety
/// * `handle`: as for [`add_through`], but not inert: no index is compared with the bound.
/// * `source` is valid for reads and points to `size` bytes that stay valid and unchanged until
///   the pointer was replaced and [`crate::membarrier::restart`] has returned.
/// * `target` is valid for writes of `size` bytes, and nobody else reads or writes there.
///
/// Cost: four loads, one of them for a test of the sign of the CPU number, and two stores for a
/// `size` of 8.
///
/// ```
/// use std::ptr::null_mut;
/// use std::sync::atomic::{AtomicPtr, Ordering};
/// use rseq_ops::{current_thread, membarrier, ops::{self, Outcome}};
///
/// let current = AtomicPtr::new(Box::into_raw(Box::new([1u64, 2, 3])));
/// if let Some(handle) = current_thread()
///     && membarrier::register().is_ok()
/// {
///     let mut copy = [0u64; 3];
///     // SAFETY: this thread's handle; what `current` points to is freed after a restart alone.
///     let outcome = ops::retry(|| unsafe {
///         let source = current.as_ptr().cast::<*const u8>();
///         ops::copy_through(handle, source, copy.as_mut_ptr().cast(), size_of_val(&copy))
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(copy, [1, 2, 3]);
///     }
///     // Another thread replaces it, and frees the old one:
///     let old = current.swap(Box::into_raw(Box::new([4, 5, 6])), Ordering::AcqRel);
///     membarrier::restart().unwrap();
///     // SAFETY: no copy from it is in flight any more.
///     drop(unsafe { Box::from_raw(old) });
/// }
/// # // SAFETY: nobody else is left.
/// # drop(unsafe { Box::from_raw(current.swap(null_mut(), Ordering::AcqRel)) });
/// ```
#[inline(always)]
pub unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    if size == 0 {
        return Outcome::Committed;
    }
    // SAFETY: the same conditions.
    unsafe { arch::copy_through(handle, source, target, size) }
}
