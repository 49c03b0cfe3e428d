//! The chunks in the CPUs' slots, which sequences fill.

use super::chunk::Chunk;
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
pub(super) unsafe fn replace_chunk(readers: &Readers, end: usize, new: usize) -> Outcome {
    match readers.through_phase_again() {
        // SAFETY: as in `append`; `new` is the start of an empty chunk, by the caller.
        Some((handle, phase)) => unsafe { sys::replace_chunk(handle, phase, end, new) },
        None => Outcome::Aborted, // In a child that was forked in the middle of what we do.
    }
}

/// Returns the ends of the chunks that are in slots now.
fn ends(readers: &Readers) -> impl Iterator<Item = usize> {
    let both = readers.word().into_iter().flat_map(|word| {
        [word.get(), word.get() ^ sys::PHASE_BIT]
            .into_iter()
            .flat_map(|word| (0..sys::slots()).map(move |slot| (word, slot)))
    });
    both.map(|(word, slot)| sys::buffer(word, slot).load(Ordering::Relaxed))
        .filter(|end| *end != 0)
}

/// Returns whether any slot has a chunk. Exact for whoever has the domain alone.
pub(super) fn any_chunk(readers: &Readers) -> bool {
    ends(readers).next().is_some()
}

/// Returns how many callbacks are in the slots, about.
pub(super) fn appended(readers: &Readers) -> u64 {
    ends(readers).map(|end| Chunk::length(end) as u64).sum()
}
