//! The sequences that find their word by a stride.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

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
            handle,
            arm!("value"),
            "2:",
            load_pointer!(),
            "cbz {pointer}, 3f",
            delay!(0),
            load_index!(),
            "add {word}, {pointer}, {word}, lsl #{shift}",
            "ldr {value}, [{word}]",
            "add {value}, {value}, #1",
            delay!(1),
            "str {value}, [{word}]",
            "3:",
            on_abort!("mov {pointer}, xzr", "b 3b"),
            source = in(reg) source,
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
    _guess: u64,
) -> Outcome {
    // SAFETY: `handle` is this thread's, and `expected` leads to a word of each index below the
    // bound while it is in `source`, as the caller promises. The block writes `rseq_cs` and the
    // word alone.
    unsafe {
        sequence!(
            handle,
            arm!("value"),
            "2:",
            load_index!(),
            "ldr {value}, [{source}]",
            "cmp {value}, {expected}",
            "b.ne {mismatch}",
            "add {word}, {expected}, {word}, lsl #{shift}",
            "ldr {value}, [{word}]",
            "sub {value}, {value}, #1",
            delay!(2),
            "stlr {value}, [{word}]",
            "3:",
            on_abort!("b {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _,
            value = out(reg) _
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
            handle,
            arm!("value"),
            "2:",
            load_index!(),
            "add {word}, {base}, {word}, lsl #{shift}",
            "ldr {value}, [{word}]",
            "add {value}, {value}, {delta}",
            delay!(3),
            "stlr {value}, [{word}]",
            "3:",
            on_abort!("b {aborted}"),
            aborted = label { return Outcome::Aborted },
            base = in(reg) base,
            delta = in(reg) delta,
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
    // SAFETY: the caller promises a bound there, and that the handle is this thread's.
    unsafe {
        let bound = AtomicU32::from_ptr(source.byte_offset(BOUND as isize).cast_mut().cast());
        let bound = bound.load(Ordering::Relaxed);
        (
            add_through::<SHIFT>(unbiased(biased, BIAS, bound), source).0,
            bound,
        )
    }
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
    // SAFETY: the caller promises what `sub_if_current` asks for, and the parts of such a handle.
    unsafe { sub_if_current::<SHIFT>(unbiased(biased, BIAS, bound), source, expected, 1) }
}

#[inline(always)]
fn unbiased(biased: isize, bias: i32, bound: u32) -> Handle {
    Handle {
        cs: biased - bias as isize,
        bound,
        index: Handle::CPU,
    }
}
