//! The sequences whose caller passes the index that it has prepared for.

use crate::arch;
use crate::handle::Handle;
use crate::outcome::{Commit, Outcome, Popped};

/// Stores `new` to `*word` if `*word` is `expected`: a compare-and-exchange without the `lock` prefix.
///
/// Useful for a lock for each index, and for a push onto a list. For the push, `new` is a node whose link
/// was set to `expected` before. If others walk the list, the commit must be [`Release`](super::Release).
///
/// # Cost
/// Two comparisons and a store.
///
/// # Safety
/// [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word`.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use rseq_ops::{Handle, ops::{self, Outcome, Relaxed}, percpu::possible_cpus};
///
/// // One lock for each CPU: 0 is free. A sequence takes it, and an atomic store releases it.
/// let locks: Vec<AtomicUsize> = (0..possible_cpus()).map(|_| AtomicUsize::new(0)).collect();
/// let taken = Handle::by_cpu().and_then(|handle| {
///     // SAFETY: this thread's handle.
///     let cpu = unsafe { handle.current_index() }?;
///     let word = locks[cpu as usize].as_ptr();
///     // SAFETY: this thread's handle; only sequences on this CPU store to a word that is 0.
///     let outcome = unsafe { ops::compare_store(handle, cpu, word, 0, 1, Relaxed) };
///     (outcome == Outcome::Committed).then_some(cpu)
/// });
/// if let Some(cpu) = taken {
///     locks[cpu as usize].store(0, Ordering::Release);
/// } // Otherwise (aborted, held, or no sequences here) one would take a lock that all CPUs share.
/// ```
#[inline(always)]
pub unsafe fn compare_store(
    handle: Handle,
    index: u32,
    word: *mut usize,
    expected: usize,
    new: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe { arch::compare_store(handle, index, word, expected, new, commit) }
}

/// Pops the first node of a linked list, and returns its address.
///
/// `*word` holds the address of the first node, or `unwanted` if the list is empty. The link to the next node
/// lies `offset` bytes into each node. The sequence loads the first node's link and stores it to `*word`.
///
/// If only sequences on the list's own index push to it and pop from it, a node that is the head stays the
/// head from the load to the commit. So there is no ABA problem, and no need for a counter or a double-width
/// compare-and-exchange.
///
/// # Cost
/// Two comparisons, two loads, a store.
///
/// # Safety
/// * [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word`.
/// * As long as `word` holds an address other than `unwanted`, the word `offset` bytes behind that address
///   is aligned and valid for reads. A thread that has popped a node may free it at once: another thread
///   that could still follow the stale head was interrupted, and starts over.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Popped, Release}};
/// #[repr(C)]
/// struct Node { next: usize, value: u32 }
///
/// let node = Node { next: 0, value: 7 };
/// let mut head = (&raw const node).expose_provenance();
/// if let Some(handle) = Handle::by_cpu() {
///     // SAFETY: this thread's handle; the list is this thread's alone, and its node is alive.
///     let popped = ops::retry(|| unsafe {
///         let Some(index) = handle.current_index() else { return Popped::Aborted };
///         ops::pop(handle, index, &raw mut head, 0, std::mem::offset_of!(Node, next), Release)
///     });
///     if let Popped::Committed(address) = popped {
///         assert_eq!(address, (&raw const node).addr());
///         assert_eq!(head, 0);
///     }
/// }
/// assert_eq!(node.value, 7);
/// ```
#[inline(always)]
pub unsafe fn pop(
    handle: Handle,
    index: u32,
    word: *mut usize,
    unwanted: usize,
    offset: usize,
    commit: impl Commit,
) -> Popped {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe { arch::pop(handle, index, word, unwanted, offset, commit) }
}

/// Adds `delta` to `*word`, wrapping around.
///
/// Never returns [`Outcome::Mismatch`].
///
/// # Cost
/// One comparison, and an addition to memory without the `lock` prefix.
/// [`super::add`] finds the word by itself where the memory is an
/// [`Area`](crate::percpu::Area).
///
/// # Safety
/// [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word`.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use rseq_ops::{Handle, ops::{self, Outcome, Relaxed}, percpu::possible_cpus};
///
/// // One word for each CPU's sequences, and *another* one for threads that must use atomics: on a shared
/// // word, a plain addition could overwrite an atomic one. The sum of all words is the count.
/// let by_cpu: Vec<AtomicUsize> = (0..possible_cpus()).map(|_| AtomicUsize::new(0)).collect();
/// let shared = AtomicUsize::new(0);
/// let count = || {
///     let committed = Handle::by_cpu().is_some_and(|handle| {
///         ops::retry(|| {
///             // SAFETY: this thread's handle.
///             let Some(cpu) = (unsafe { handle.current_index() }) else { return Outcome::Aborted };
///             let word = by_cpu[cpu as usize].as_ptr();
///             // SAFETY: this thread's handle, and only these sequences write the word.
///             unsafe { ops::add_at(handle, cpu, word, 1, Relaxed) }
///         }) == Outcome::Committed
///     });
///     if !committed {
///         shared.fetch_add(1, Ordering::Relaxed); // This always succeeds.
///     }
/// };
/// (0..1000).for_each(|_| count());
/// let sum: usize = by_cpu.iter().chain([&shared]).map(|n| n.load(Ordering::Relaxed)).sum();
/// assert_eq!(sum, 1000);
/// ```
#[inline(always)]
pub unsafe fn add_at(
    handle: Handle,
    index: u32,
    word: *mut usize,
    delta: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe { arch::add_at(handle, index, word, delta, commit) }
}

/// Stores `new` to `*word` if `*word` is `expected` and `*other` is `other_expected`.
///
/// Useful for a pop from an array whose length is `word` and whose last element was seen to be
/// `other_expected`.
///
/// # Cost
/// Three comparisons and a store.
///
/// # Safety
/// [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word`; `other` is
/// aligned and valid for reads as long as `word` holds `expected`.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Outcome, Relaxed}};
///
/// let (mut length, elements) = (2, [10, 20]);
/// if let Some(handle) = Handle::by_cpu() {
///     // SAFETY: this thread's handle; the words are this thread's alone.
///     let outcome = ops::retry(|| unsafe {
///         let Some(index) = handle.current_index() else { return Outcome::Aborted };
///         ops::compare_two_store(
///             handle, index, (&raw mut length, 2), (&raw const elements[1], 20), 1, Relaxed,
///         )
///     });
///     assert!(matches!(outcome, Outcome::Committed | Outcome::Aborted));
///     assert_eq!(length, if outcome == Outcome::Committed { 1 } else { 2 });
/// }
/// ```
#[inline(always)]
pub unsafe fn compare_two_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (other, other_expected): (*const usize, usize),
    new: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe {
        arch::compare_two_store(
            handle,
            index,
            (word, expected),
            (other, other_expected),
            new,
            commit,
        )
    }
}

/// Stores `first_new` to `*first` and then `new` to `*word`, if `*word` is `expected`.
///
/// Useful for a push onto an array whose length is `word`.
///
/// An aborted attempt may have done the first store, so the contents of `first` must not count until `word`
/// says so. If other threads load `word` (acquire) and then `first`, the commit must be
/// [`Release`](super::Release).
///
/// # Cost
/// Two comparisons and two stores.
///
/// # Safety
/// * [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word` and
///   `first`.
/// * As long as `word` holds `expected`, nobody relies on what is in `first`.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Outcome, Release}};
///
/// let (mut length, mut elements) = (1, [10, 0]);
/// if let Some(handle) = Handle::by_cpu() {
///     // SAFETY: this thread's handle; the words are this thread's alone.
///     let outcome = ops::retry(|| unsafe {
///         let Some(index) = handle.current_index() else { return Outcome::Aborted };
///         let element = &raw mut elements[1];
///         ops::compare_store_store(
///             handle, index, (&raw mut length, 1), (element, 20), 2, Release,
///         )
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!((length, elements), (2, [10, 20]));
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn compare_store_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (first, first_new): (*mut usize, usize),
    new: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe {
        arch::compare_store_store(
            handle,
            index,
            (word, expected),
            (first, first_new),
            new,
            commit,
        )
    }
}

/// Copies `size` bytes from `source` to `target` and then stores `new` to `*word`, if `*word` is `expected`.
///
/// Useful for a push onto a ring of records, and for a pop from one, where `target` is the caller's own.
///
/// An aborted attempt may have copied any part, so the contents of `target` must not count until `word` says
/// so. If other threads load `word` (acquire) and then `target`, the commit must be
/// [`Release`](super::Release). The bytes are copied in an unspecified order.
///
/// # Cost
/// Two comparisons, a move for each 8 bytes and for each remaining byte, and a store.
///
/// # Safety
/// * [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for `word`.
/// * As long as `word` holds `expected`: `source` is valid for reads and `target` for writes of
///   `size` bytes, the two do not overlap, nobody else writes to `source`, and nobody relies on
///   what is in `target`. `size` is at most [`COPY_MAX`](super::COPY_MAX); otherwise every attempt might be
///   interrupted.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Outcome, Release}};
///
/// let (mut length, mut records) = (0, [0u8; 32]);
/// let record = *b"thirteen byte";
/// if let Some(handle) = Handle::by_cpu() {
///     // SAFETY: this thread's handle; the memory is this thread's alone.
///     let outcome = ops::retry(|| unsafe {
///         let Some(index) = handle.current_index() else { return Outcome::Aborted };
///         let copy = (record.as_ptr(), records.as_mut_ptr(), record.len());
///         ops::compare_copy_store(handle, index, (&raw mut length, 0), copy, 13, Release)
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(&records[..length], b"thirteen byte");
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn compare_copy_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (source, target, size): (*const u8, *mut u8, usize),
    new: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe {
        arch::compare_copy_store(
            handle,
            index,
            (word, expected),
            (source, target, size),
            new,
            commit,
        )
    }
}

/// Loads a pointer from `source`, loads a second pointer from `offset` bytes behind the first one's target,
/// and adds `delta` to the word that the second one points to, wrapping around.
///
/// Both loads and the addition are one sequence: a thread that has replaced the pointer in `source` and then
/// called [`crate::membarrier::restart`] knows that no addition through the old pointer happens any more.
/// Where the first pointer itself leads to the memory of all indexes, [`super::add_through`] is shorter.
///
/// Never returns [`Outcome::Mismatch`].
///
/// # Cost
/// One comparison, two loads, and an addition to memory.
///
/// # Safety
/// * [The requirements of all sequences with an index](super#safety-of-sequences-with-an-index), for the word
///   that is added to.
/// * `source` is aligned, valid for reads, and holds a pointer `p`; `p + offset` is aligned, valid
///   for reads, and holds the word's address.
/// * What a replaced pointer led to stays valid until [`crate::membarrier::restart`] has returned.
///
/// ```
/// use rseq_ops::{Handle, ops::{self, Outcome, Relaxed}};
///
/// let mut count = 5usize;
/// let table = [0, (&raw mut count).expose_provenance()];
/// let current = table.as_ptr().expose_provenance();
/// if let Some(handle) = Handle::by_cpu() {
///     // SAFETY: this thread's handle; all of this is this thread's alone.
///     let outcome = ops::retry(|| unsafe {
///         let Some(index) = handle.current_index() else { return Outcome::Aborted };
///         ops::add_through_offset(handle, index, &raw const current, 8, 2, Relaxed)
///     });
///     assert_eq!(count, if outcome == Outcome::Committed { 7 } else { 5 });
/// }
/// ```
#[inline(always)]
pub unsafe fn add_through_offset(
    handle: Handle,
    index: u32,
    source: *const usize,
    offset: usize,
    delta: usize,
    commit: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises this thread's handle, and words that are valid while the thread has
    // this index. The sequence compares the index before it touches them.
    unsafe { arch::add_through_offset(handle, index, source, offset, delta, commit) }
}
