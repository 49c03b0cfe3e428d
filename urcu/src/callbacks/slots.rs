//! The chunks in the CPUs' slots, which sequences fill.

use super::chunk::ChunkEnd;
use crate::gp::readers::Readers;
use crate::sync::Ordering;
use crate::sys::{self, Appended, Outcome, Record};

/// Appends a callback to this CPU's chunk, in the slot of the current phase.
///
/// # Safety
/// `record` is valid for reads.
#[inline(always)]
pub(crate) unsafe fn append(readers: &Readers, record: *const Record) -> Appended {
    match readers.through_phase() {
        // SAFETY: the handle is the process's, where libc registers the threads, and the phase is set up.
        // The record is valid, by the caller.
        Some((handle, phase)) => unsafe { sys::append(handle, phase, record) },
        None => Appended::Aborted,
    }
}

/// Puts another chunk in the place of this CPU's, which ends at `end`.
///
/// # Safety
/// [`append`] has found the calling thread's chunk full (or none); `new` is the start of an empty chunk
/// that is left to the slot if the answer is [`Outcome::Committed`].
pub(super) unsafe fn replace_chunk(
    readers: &Readers,
    end: Option<ChunkEnd>,
    new: ChunkEnd,
) -> Outcome {
    let (end, new) = (end.map_or(0, ChunkEnd::word), new.word());
    match readers.through_phase_again() {
        // SAFETY: the handle is the process's, where libc registers the threads, and the phase is set up.
        // `new` is the start of an empty chunk, and `end` that of a full one or 0, as the caller promises.
        Some((handle, phase)) => unsafe { sys::replace_chunk(handle, phase, end, new) },
        None => Outcome::Aborted, // In a child that was forked in the middle of what we do.
    }
}

/// Returns the ends of the chunks that are in slots now.
fn ends(readers: &Readers) -> impl Iterator<Item = ChunkEnd> {
    let both = readers.current().into_iter().flat_map(|phase| {
        [phase, phase.other()]
            .into_iter()
            .flat_map(|phase| (0..sys::slots()).map(move |slot| (phase, slot)))
    });
    both.filter_map(|(phase, slot)| {
        ChunkEnd::of_word(sys::buffer(phase, slot).load(Ordering::Relaxed))
    })
}

/// Returns whether any slot has a chunk. Exact for whoever has the domain alone.
pub(super) fn any_chunk(readers: &Readers) -> bool {
    ends(readers).next().is_some()
}

/// Returns how many callbacks are in the slots, about.
pub(super) fn appended(readers: &Readers) -> u64 {
    ends(readers).map(|end| end.length() as u64).sum()
}
