//! Buffers of records, one for each CPU.

use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::record::Record;

/// The outcome of an [`append_through`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record was appended. Holds the buffer's new end.
    At(usize),
    /// There was no room. Holds the CPU's word: 0, or the end of a full buffer.
    Full(usize),
    /// The sequence was interrupted, or the pointer was null. Nothing was appended.
    Aborted,
}

/// Appends `record` to this CPU's buffer, in one sequence.
///
/// The sequence loads the pointer in `source`, which leads to a stretch of memory for each CPU. The word
/// `OFFSET` bytes into this CPU's stretch is the end of its buffer. The sequence copies the record to that
/// end, and moves the end on by 32 bytes.
///
/// A buffer has `SIZE` bytes and is aligned to them, so it is full when its end is a multiple of `SIZE`.
/// A word of 0 means that there is no buffer. Give the CPU another one by [`replace_through`].
///
/// A thread that replaces the pointer in `source` and then calls [`crate::membarrier::restart`] has the
/// buffers of the old pointer to itself.
///
/// # Safety
/// The requirements of [`add_through`](super::add_through). Each word is 0 or the end of a buffer as
/// described, and only such sequences write to the words and the buffers. `record` is valid for reads.
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

/// Stores `new` in the word that [`append_through`] uses on this CPU, if the word is `expected`. This gives
/// the CPU another buffer. See [`append_through`] for an example.
///
/// # Safety
/// The requirements of [`append_through`].
#[inline(always)]
pub unsafe fn replace_through<const SHIFT: u32, const OFFSET: usize>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    new: usize,
) -> Outcome {
    // SAFETY: the caller promises the handle, and words that are ends of buffers and that only
    // sequences write.
    unsafe { arch::replace_through::<SHIFT, OFFSET>(handle, source, expected, new) }
}
