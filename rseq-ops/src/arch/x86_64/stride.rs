//! The sequences that find their word by a stride.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// See [`crate::ops::add_through`]. Returns the pointer (0 for an abort) and the value that was stored.
///
/// # Safety
/// The requirements of [`crate::ops::add_through`].
#[inline(always)]
pub(crate) unsafe fn add_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> (usize, u64) {
    let (pointer, value);
    // SAFETY: `handle` is this thread's, and the pointer in `source` leads to a word of each index
    // below the bound, as the caller promises; a pointer that was replaced stays valid until a
    // restart, which aborts this. The block writes `rseq_cs` and the word alone, the word by its
    // last instruction.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {value}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {value}",
            "2:",
            "mov {pointer}, qword ptr [{source}]",
            "test {pointer}, {pointer}",
            "jz 3f",
            delay!(0),
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, {pointer}",
            "mov {value}, qword ptr [{word}]",
            "test {value}, {value}",
            "jnz 7f",
            "xor {value:e}, {value:e}",
            "7:",
            "inc {value}",
            delay!(1),
            "mov qword ptr [{word}], {value}",
            "3:",
            on_abort!("xor {pointer:e}, {pointer:e}", "jmp 3b"),
            source = in(reg) source,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            pointer = out(reg) pointer,
            word = out(reg) _,
            value = out(reg) value
        );
    }
    (pointer, value)
}

/// See [`crate::ops::sub_if_current`].
///
/// # Safety
/// The requirements of [`crate::ops::sub_if_current`].
#[inline(always)]
pub(crate) unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: `handle` is this thread's, and `expected` leads to a word of each index below the
    // bound while it is in `source`, as the caller promises. The block writes `rseq_cs` and the
    // word alone.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {value}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {value}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "cmp qword ptr [{source}], {expected}",
            "jne {mismatch}",
            "add {word}, {expected}",
            "mov {value}, qword ptr [{word}]",
            "cmp {value}, {guess}",
            "jne 7f",
            "mov {value}, {guess}",
            "7:",
            "dec {value}",
            delay!(2),
            "mov qword ptr [{word}], {value}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            guess = in(reg) guess,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _,
            value = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::increment_through`]. Returns the pointer (0 for an abort) and the bound.
///
/// # Safety
/// The requirements of [`crate::ops::increment_through`].
#[inline(always)]
pub(crate) unsafe fn increment_through<const SHIFT: u32, const BIAS: i32, const BOUND: i32>(
    biased: isize,
    source: *const usize,
) -> (usize, u32) {
    let (pointer, bound);
    // SAFETY: the caller promises the parts of this thread's handle, and a word for each index below
    // the bound behind the pointer in `source`. The commit is one instruction that loads, adds and stores. The
    // pointer is not 0 where the bound is not, by the caller.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs} - {bias}], {pointer}",
            "2:",
            "mov {word:e}, dword ptr fs:[{cs} - {bias} - 4]",
            "mov {bound:e}, dword ptr [{source} + {offset}]",
            "cmp {word:e}, {bound:e}",
            "jae 4f",
            "mov {pointer}, qword ptr [{source}]",
            delay!(0),
            "shl {word}, {shift}",
            delay!(1),
            "inc qword ptr [{pointer} + {word}]",
            "3:",
            on_abort!("xor {pointer:e}, {pointer:e}", "jmp 3b"),
            source = in(reg) source,
            cs = in(reg) biased,
            bias = const BIAS,
            offset = const BOUND,
            shift = const SHIFT,
            bound = out(reg) bound,
            pointer = out(reg) pointer,
            word = out(reg) _
        );
    }
    (pointer, bound)
}

/// See [`crate::ops::decrement_if_current`].
///
/// # Safety
/// The requirements of [`crate::ops::decrement_if_current`].
#[inline(always)]
pub(crate) unsafe fn decrement_if_current<const SHIFT: u32, const BIAS: i32>(
    biased: isize,
    bound: u32,
    source: *const usize,
    expected: usize,
) -> Outcome {
    // SAFETY: the caller promises the parts of this thread's handle, and a word for each index below
    // the bound behind `expected`. The commit is one instruction.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs} - {bias}], {word}",
            "2:",
            "mov {word:e}, dword ptr fs:[{cs} - {bias} - 4]",
            "cmp {word:e}, {bound:e}",
            "jae 4f",
            "shl {word}, {shift}",
            "cmp qword ptr [{source}], {expected}",
            "jne {mismatch}",
            delay!(2),
            "dec qword ptr [{expected} + {word}]",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            cs = in(reg) biased,
            bias = const BIAS,
            bound = in(reg) bound,
            shift = const SHIFT,
            word = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::add`].
///
/// # Safety
/// The requirements of [`crate::ops::add`].
#[inline(always)]
pub(crate) unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: `handle` is this thread's, and `base` leads to a word of each index below the bound,
    // as the caller promises. The block writes `rseq_cs` and the word alone.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            delay!(3),
            "add qword ptr [{base} + {word}], {delta}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            base = in(reg) base,
            delta = in(reg) delta,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _
        );
    }
    Outcome::Committed
}
