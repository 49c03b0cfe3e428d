//! The sequences of buffers that each CPU appends records to, for x86-64. Their shape is explained
//! in `x86_64`.

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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "mov {end}, qword ptr [{source}]",
            "test {end}, {end}",
            "jz 4f",
            "add {word}, {end}",
            "mov {end}, qword ptr [{word} + {offset}]",
            "xor {next:e}, {next:e}",
            "test {end:e}, {size} - 1",
            "jz 3f",
            "mov qword ptr [{end}], {first}",
            "mov qword ptr [{end} + 8], {second}",
            "mov qword ptr [{end} + 16], {third}",
            "mov qword ptr [{end} + 24], {fourth}",
            "lea {next}, [{end} + 32]",
            delay!(22),
            "mov qword ptr [{word} + {offset}], {next}",
            "3:",
            on_abort!("mov {next:e}, 1", "jmp 3b"),
            source = in(reg) source,
            first = in(reg) first,
            second = in(reg) second,
            third = in(reg) third,
            fourth = in(reg) fourth,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            offset = const OFFSET,
            size = const SIZE,
            next = out(reg) next,
            end = out(reg) end,
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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "cmp qword ptr [{source}], 0",
            "jz 4f",
            "add {word}, qword ptr [{source}]",
            "cmp qword ptr [{word} + {offset}], {expected}",
            "jne {mismatch}",
            delay!(23),
            "mov qword ptr [{word} + {offset}], {new}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            new = in(reg) new,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            offset = const OFFSET,
            word = out(reg) _
        );
    }
    Outcome::Committed
}
