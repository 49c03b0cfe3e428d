//! Buffers that each CPU fills.

use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::record::Record;

/// The outcome of an [`append_through`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is in; the buffer's new end.
    At(usize),
    /// There is no place; the word was this: 0, or the end of a buffer that is full.
    Full(usize),
    /// The sequence was interrupted, or the pointer is null; it did nothing.
    Aborted,
}

/// Appends `record` to this CPU's buffer, in one sequence.
///
/// The sequence loads the pointer in `source`. This CPU's word, `OFFSET` bytes behind its stretch of
/// memory there, is the end of its buffer. The record is copied to that end, which moves on by 32 bytes.
///
/// A buffer has `SIZE` bytes and is aligned to them, so it is full when its end is a multiple of `SIZE`.
/// A word of 0 means that there is no buffer. Give the CPU another one by [`replace_through`].
///
/// A thread that replaces the pointer in `source` and then calls [`crate::membarrier::restart`] has the
/// buffers of the old pointer to itself.
///
/// # Safety
/// As for [`add_through`](super::add_through). The words are 0 or ends of buffers as described, which
/// such sequences alone write. `record` is valid for reads.
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
    // SAFETY: the caller promises the handle, words that are ends of buffers of `SIZE` bytes, and a
    // readable record.
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
    // SAFETY: the caller promises the handle, and words that are ends of buffers, of which
    // sequences alone write.
    unsafe { arch::replace_through::<SHIFT, OFFSET>(handle, source, expected, new) }
}
