//! The sequences of buffers that each CPU appends records to, for RISC-V 64. Their shape is
//! explained in `riscv64`, their orderings in `aarch64::append`.

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
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            "bnez {pointer}, 6f",
            "jump 4f, {scratch}",
            "6:",
            find_word!("{pointer}"),
            "ld {end}, {offset}({word})",
            "li {next}, 0",
            "li {pointer}, {size} - 1",
            "and {pointer}, {pointer}, {end}",
            "beqz {pointer}, 3f",
            "sd {first}, 0({end})",
            "sd {second}, 8({end})",
            "sd {third}, 16({end})",
            "sd {fourth}, 24({end})",
            "addi {next}, {end}, 32",
            delay!(22),
            "sd {next}, {offset}({word})",
            "3:",
            on_abort!("li {next}, 1", "jump 3b, {scratch}"),
            source = in(reg) source,
            first = in(reg) first,
            second = in(reg) second,
            third = in(reg) third,
            fourth = in(reg) fourth,
            bound = in(reg) handle.bound as usize,
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
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            "bnez {pointer}, 6f",
            "jump 4f, {scratch}",
            "6:",
            find_word!("{pointer}"),
            "ld {pointer}, {offset}({word})",
            "beq {pointer}, {expected}, 7f",
            "j {mismatch}",
            "7:",
            delay!(23),
            "sd {new}, {offset}({word})",
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            new = in(reg) new,
            bound = in(reg) handle.bound as usize,
            shift = const SHIFT,
            offset = const OFFSET,
            pointer = out(reg) _,
            word = out(reg) _
        );
    }
    Outcome::Committed
}
