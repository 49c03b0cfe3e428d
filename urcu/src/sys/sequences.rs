//! The restartable sequences.

use core::mem::offset_of;

use rseq_ops::Handle;
use rseq_ops::ops::{Appended, Outcome, Record};

use super::phase::Phase;
use super::slots::{SHIFT, Slot};
use super::tuning::CHUNK;
use crate::sync::{AtomicU32, AtomicUsize, Ordering};

/// Returns the *way* of a section to its counter: one word that also says how to count. It is positive
/// where the processor renames memory, so that increments are fastest; negative where it does not, and the
/// sequences guess the counter's value; 0 where there is no handle. One comparison tells the three apart.
///
/// Besides, it holds the offset of `rseq_cs`, which may itself be negative.
pub(crate) fn way(handle: Handle) -> isize {
    let biased = handle.cs + BIAS as isize;
    // An offset that far away is none of libc's.
    if biased <= 0 || handle.bound == 0 {
        return 0;
    }
    if counts_by_increments() {
        biased
    } else {
        -biased
    }
}

/// More than any offset in thread-local data, and such that it fits an instruction.
pub(crate) const BIAS: i32 = 1 << 30;

fn counts_by_increments() -> bool {
    #[cfg(rseq_ops_delay_injection)]
    if crate::testing::guesses() {
        return false;
    }
    rseq_ops::cpu::renames_memory()
}

/// Returns the handle of a way that is not positive, and not 0.
#[inline(always)]
fn handle_of(way: isize, bound: u32) -> Handle {
    Handle {
        cs: -way - BIAS as isize,
        bound,
        index: Handle::CPU,
    }
}

/// Adds 1 to this CPU's counter of the phase in `phase`. Returns that phase, the bound, and the counter's
/// new value if it is to be guessed later; `None` for an abort, and where the way is 0.
///
/// # Safety
/// The [`way`] is the process's, or 0. `bound` lies `BOUND` bytes from `phase`. If the way is not 0, both are
/// those of a domain's readers that are set up; a child that is forked meanwhile finds 0 in both.
#[inline(always)]
pub(crate) unsafe fn enter_section<const BOUND: i32>(
    way: isize,
    phase: &AtomicUsize,
    bound: &AtomicU32,
) -> Option<(Phase, u32, u32)> {
    debug_assert_eq!(
        bound.as_ptr().addr() as isize - phase.as_ptr().addr() as isize,
        BOUND as isize
    );
    // SAFETY: only these sequences write the `net` words, except the writer when no sequence can
    // (`Readers::settle`); a domain's area lives as long as its phase word. The bound lies where
    // `BOUND` says, and was stored after the phase; what takes the phase away is a fork in a signal
    // handler on this thread, which takes the bound too and restarts the sequence.
    unsafe {
        if way > 0 {
            let source = phase.as_ptr();
            let (word, bound) =
                rseq_ops::ops::increment_through::<SHIFT, BIAS, BOUND>(way, source)?;
            return Some((Phase::new(word), bound, 1));
        }
        cold_path();
        if way == 0 {
            return None;
        }
        let bound = bound.load(Ordering::Relaxed);
        let (begun, value) = add_through(handle_of(way, bound), phase)?;
        Some((begun, bound, value as u32))
    }
}

/// Subtracts 1 from this CPU's counter of the phase `begun`, if that is the one in `phase`. Aborts where
/// the way is 0.
///
/// # Safety
/// `way` and `bound` are what [`enter_section`] had and returned, or of the process's handle, or the way is 0;
/// `begun` is one that `phase` has had in this process or in one that it was forked from.
#[inline(always)]
pub(crate) unsafe fn exit_section(
    way: isize,
    bound: u32,
    phase: &AtomicUsize,
    begun: Phase,
    guess: u32,
) -> Outcome {
    // SAFETY: the way and the bound are of a handle that is this thread's, or of none, as the caller
    // promises; only these sequences write the `net` words, except the writer when no sequence can
    // (`Readers::settle`); a domain's area lives as long as its phase word.
    unsafe {
        if way > 0 {
            let source = phase.as_ptr();
            return rseq_ops::ops::decrement_if_current::<SHIFT, BIAS>(
                way,
                bound,
                source,
                begun.word(),
            );
        }
        cold_path();
        if way == 0 {
            return Outcome::Aborted;
        }
        sub_if_current(handle_of(way, bound), phase, begun, u64::from(guess))
    }
}

/// Adds 1 to this CPU's counter of the phase in `phase`. Returns that phase and the counter's new value, or
/// `None` for an abort.
///
/// # Safety
/// `handle` is that of [`current_thread`] or [`Mode::AllThreads`]; `phase` is set up and
/// its area alive.
#[inline(always)]
pub(crate) unsafe fn add_through(handle: Handle, phase: &AtomicUsize) -> Option<(Phase, u64)> {
    // SAFETY: the handle and the phase are as the caller promises. Only these sequences write the `net` words,
    // except the writer when no sequence can (`Readers::settle`); a domain's area lives as long as its
    // phase word.
    unsafe {
        let (word, value) = rseq_ops::ops::add_through::<SHIFT>(handle, phase.as_ptr())?;
        Some((Phase::new(word), value))
    }
}

/// Subtracts 1 from this CPU's counter of the phase `begun`, if that is the one in `phase`.
/// Fastest where the counter is `guess`.
///
/// # Safety
/// As for [`add_through`], and `begun` is one that `phase` has had.
#[inline(always)]
pub(crate) unsafe fn sub_if_current(
    handle: Handle,
    phase: &AtomicUsize,
    begun: Phase,
    guess: u64,
) -> Outcome {
    // SAFETY: the handle and the phases are as the caller promises. Only these sequences write the `net`
    // words, except the writer when no sequence can (`Readers::settle`); a domain's area lives as long as
    // its phase word.
    unsafe { rseq_ops::ops::sub_if_current::<SHIFT>(handle, phase.as_ptr(), begun.word(), guess) }
}

/// Subtracts 1 from this CPU's counter of the phase `begun`.
///
/// # Safety
/// As for [`sub_if_current`].
pub(crate) unsafe fn sub(handle: Handle, begun: Phase) -> Outcome {
    #[cfg(rseq_ops_delay_injection)]
    if crate::testing::loses_this_end() {
        return Outcome::Committed;
    }
    // SAFETY: the handle and the phase are as the caller promises. Only these sequences write the `net`
    // words, except the writer when no sequence can (`Readers::settle`); a domain's area lives as long as
    // its phase word.
    unsafe { rseq_ops::ops::add::<SHIFT>(handle, begun.word(), -1) }
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
    // SAFETY: libc registers all threads, since the handle is that of `AllThreads`. The caller promises that
    // `source` points to `size` bytes until a restart after its replacement, which aborts this sequence, and
    // that `target` has room.
    unsafe { rseq_ops::ops::copy_through(handle, source, target, size) }
}

/// Copies `size` bytes from `offset` bytes behind where `source` points, in one sequence.
///
/// # Safety
/// As for [`copy_through`], of the `size` bytes at the offset.
#[inline(always)]
pub(crate) unsafe fn copy_part_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: `handle` is the threads', and the bytes stay until a restart, as the caller promises.
    unsafe { rseq_ops::ops::copy_part_through(handle, source, offset, target, size) }
}

/// Copies `size` bytes from `way[1]` bytes behind where a pointer points that lies `way[0]` bytes behind where
/// `source` points, in one sequence.
///
/// # Safety
/// As for [`copy_through`], of that pointer and of the `size` bytes behind it.
#[inline(always)]
pub(crate) unsafe fn copy_behind_through(
    handle: Handle,
    source: *const *const u8,
    [offset, behind]: [usize; 2],
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: `handle` is the threads', and the pointer and the bytes stay until a restart, as the caller promises.
    unsafe { rseq_ops::ops::copy_behind_through(handle, source, offset, behind, target, size) }
}

/// The offset from a phase's word in a slot to the slot's `buffer` for that phase.
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
    // SAFETY: handle, phase and record are as the caller promises; what the slots hold are ends of chunks that
    // live as long as the slots, or 0.
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
    // SAFETY: the handle is the process's and the phase is set up, as for `append`, so the slots are there; the
    // caller promises that `new` is the start of an empty chunk.
    unsafe { rseq_ops::ops::replace_through::<SHIFT, BUFFER>(handle, phase.as_ptr(), end, new) }
}

/// Tells the compiler that this way is seldom taken. (`core::hint::cold_path` needs Rust 1.95.)
#[cold]
#[inline]
fn cold_path() {}
