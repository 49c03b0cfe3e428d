//! Sealing a CPU's chunk of callbacks, and choosing the grace period that it waits for.
//!
//! A chunk is sealed when nobody adds to it any more. Its callbacks must wait for a grace period
//! that begins after everything was unpublished that they are to reclaim.

use super::chunk::ChunkEnd;
use super::slots;
use crate::gp::readers::Readers;
use crate::gp::sequence::{Round, Sequence};
use crate::sync::Ordering;
use crate::sys::{self, Outcome, Phase};

/// Takes the chunks out of the slots of the phase `old`, for the leader of a grace period that is about to
/// end. Calls `seal` with each one's slot, its end, and the grace period that it has to wait for.
pub(crate) fn collect(
    sequence: &Sequence,
    old: Phase,
    mut seal: impl FnMut(usize, ChunkEnd, Round),
) {
    for slot in 0..sys::slots() {
        let buffer = sys::buffer(old, slot);
        // Relaxed, both: the restart after the flip (C) lies between the sequences and us, and the
        // next flip (A) between us and them. No sequence writes here meanwhile.
        let end = ChunkEnd::of_word(buffer.load(Ordering::Relaxed));
        if let Some(end) = end {
            buffer.store(0, Ordering::Relaxed);
            // Not this grace period but the next. What was unpublished right before a callback was
            // appended may have become visible with the restart alone, after sections had begun in
            // the new phase, for which this grace period did not wait.
            seal(slot, end, sequence.done().next().next());
        }
    }
}

/// Puts the empty chunk that begins at `new` in the place of this CPU's, which ends at `end`. Returns the
/// grace period that the old chunk, which is the caller's then, has to wait for; `None` if nothing was
/// done.
///
/// # Safety
/// As for [`slots::replace_chunk`].
pub(crate) unsafe fn exchange(
    readers: &Readers,
    sequence: &Sequence,
    end: Option<ChunkEnd>,
    new: ChunkEnd,
) -> Option<Round> {
    // SAFETY: the calling thread's chunk was found full, or there was none, and `new` is the start of an empty
    // chunk that nobody else has: the caller promises both.
    let replaced = unsafe { slots::replace_chunk(readers, end, new) };
    // The callbacks' owners acted before on this CPU; so J orders it before the
    // next flip, as for a caller of `synchronize`.
    (replaced == Outcome::Committed).then(|| sequence.snap())
}
