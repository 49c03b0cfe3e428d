//! The sequences of buffers that each CPU appends records to, for AArch64. Their shape is explained
//! in `aarch64`.
//!
//! The commits are plain stores: a thread that takes another CPU's buffer restarts all sequences first,
//! which orders more than a release would.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::record::Record;

/// See [`crate::ops::append_through`]. Returns the new end (0 if there is no room, 1 for an abort), and the end
/// that was found.
///
/// # Safety
/// The requirements of [`crate::ops::append_through`].
#[inline(always)]
pub(crate) unsafe fn append_through<const SHIFT: u32, const OFFSET: usize, const SIZE: usize>(
    handle: Handle,
    source: *const usize,
    record: *const Record,
) -> (usize, usize) {
    let (next, end);
    // The record is passed in registers, so a caller that has just made it need not store it to memory.
    // SAFETY: the record is readable, as the caller promises.
    let [first, second, third, fourth] = unsafe { record.read() };
    // SAFETY: `handle` is this thread's, and `source` leads to the end of a buffer of each index, as the
    // caller promises. An end that is no multiple of the size has room for a record behind it. What is
    // stored behind the end means nothing until the commit.
    unsafe {
        sequence!(
            handle,
            arm!("word"),
            "2:",
            load_index!(),
            load_pointer!(),
            "cbnz {pointer}, 6f",
            "b 4f",
            "6:",
            "add {word}, {pointer}, {word}, lsl #{shift}",
            "ldr {end}, [{word}, #{offset}]",
            "mov {next}, xzr",
            "tst {end}, #({size} - 1)",
            "b.eq 3f",
            "stp {first}, {second}, [{end}]",
            "stp {third}, {fourth}, [{end}, #16]",
            "add {next}, {end}, #32",
            delay!(22),
            "str {next}, [{word}, #{offset}]",
            "3:",
            on_abort!("mov {next}, #1", "b 3b"),
            source = in(reg) source,
            first = in(reg) first,
            second = in(reg) second,
            third = in(reg) third,
            fourth = in(reg) fourth,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            offset = const OFFSET,
            size = const SIZE,
            next = out(reg) next,
            end = out(reg) end,
            pointer = out(reg) _,
            word = out(reg) _
        );
    }
    (next, end)
}

/// See [`crate::ops::replace_through`].
///
/// # Safety
/// The requirements of [`crate::ops::replace_through`].
#[inline(always)]
pub(crate) unsafe fn replace_through<const SHIFT: u32, const OFFSET: usize>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    new: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's and `source` leads to a word of each index, as the caller
    // promises. The sequence writes that word and `rseq_cs` alone.
    unsafe {
        sequence!(
            handle,
            arm!("word"),
            "2:",
            load_index!(),
            load_pointer!(),
            "cbnz {pointer}, 6f",
            "b 4f",
            "6:",
            "add {word}, {pointer}, {word}, lsl #{shift}",
            "ldr {pointer}, [{word}, #{offset}]",
            "cmp {pointer}, {expected}",
            "b.eq 7f",
            "b {mismatch}",
            "7:",
            delay!(23),
            "str {new}, [{word}, #{offset}]",
            "3:",
            on_abort!("b {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            new = in(reg) new,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            offset = const OFFSET,
            pointer = out(reg) _,
            word = out(reg) _
        );
    }
    Outcome::Committed
}
