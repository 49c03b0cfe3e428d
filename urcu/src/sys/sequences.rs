//! The restartable sequences.

use core::mem::offset_of;
use core::num::NonZeroUsize;

use super::CHUNK;
use super::slots::{SHIFT, Slot};
use super::{Appended, Handle, Outcome, Record};
use crate::sync::AtomicUsize;

/// Adds 1 to this CPU's counter of the phase in `phase`; that phase's word and the counter's
/// new value, or `None` for an abort.
///
/// # Safety
/// `handle` is that of [`current_thread`] or [`Mode::AllThreads`]; `phase` is set up and
/// its area alive.
#[inline(always)]
pub(crate) unsafe fn add_through(
    handle: Handle,
    phase: &AtomicUsize,
) -> Option<(NonZeroUsize, u64)> {
    // SAFETY: the caller's; only these sequences write the `net` words, except the writer when no
    // sequence can (`Readers::settle`); a domain's area lives as long as its phase word.
    unsafe { rseq_ops::ops::add_through::<SHIFT>(handle, phase.as_ptr()) }
}

/// Subtracts 1 from this CPU's counter of the phase of `word`, if that is the one in `phase`.
/// Fastest where the counter is `guess`.
///
/// # Safety
/// As for [`add_through`], and `word` is one that `phase` has had.
#[inline(always)]
pub(crate) unsafe fn sub_if_current(
    handle: Handle,
    phase: &AtomicUsize,
    word: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: as above.
    unsafe { rseq_ops::ops::sub_if_current::<SHIFT>(handle, phase.as_ptr(), word, guess) }
}

/// Subtracts 1 from this CPU's counter of the phase of `word`.
///
/// # Safety
/// As for [`sub_if_current`].
pub(crate) unsafe fn sub(handle: Handle, word: usize) -> Outcome {
    #[cfg(rseq_ops_delay_injection)]
    if crate::testing::loses_this_end() {
        return Outcome::Committed;
    }
    // SAFETY: as above.
    unsafe { rseq_ops::ops::add::<SHIFT>(handle, word, -1) }
}

/// Copies `size` bytes from where `source` points, in one sequence.
///
/// # Safety
/// `handle` is that of [`Mode::AllThreads`]. `source` points to `size` bytes that are freed only after it was
/// replaced and [`restart_sequences`] has returned. `target` has room for them.
#[inline(always)]
pub(crate) unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: the caller's.
    unsafe { rseq_ops::ops::copy_through(handle, source, target, size) }
}

/// Where a slot's `buffer` for the phase of a word lies, as an offset from that word.
const BUFFER: usize = offset_of!(Slot, buffer);

/// Appends a callback to the chunk in this CPU's slot, for the phase in `phase`.
///
/// # Safety
/// `handle` is that of [`Mode::AllThreads`]; `phase` is set up and its slots alive. `record` is
/// valid for reads.
#[inline(always)]
pub(crate) unsafe fn append(
    handle: Handle,
    phase: &AtomicUsize,
    record: *const Record,
) -> Appended {
    // SAFETY: the caller's; what the slots hold are ends of chunks, or 0.
    unsafe { rseq_ops::ops::append_through::<SHIFT, BUFFER, CHUNK>(handle, phase.as_ptr(), record) }
}

/// Puts the chunk that begins at `new` in the place of the one that ends at `end`, if that is this
/// CPU's for the phase in `phase`.
///
/// # Safety
/// As for [`append`], and `new` is the start of an empty chunk.
pub(crate) unsafe fn replace_chunk(
    handle: Handle,
    phase: &AtomicUsize,
    end: usize,
    new: usize,
) -> Outcome {
    // SAFETY: the caller's.
    unsafe { rseq_ops::ops::replace_through::<SHIFT, BUFFER>(handle, phase.as_ptr(), end, new) }
}
