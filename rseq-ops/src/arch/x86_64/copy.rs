//! The copy that is a read-side section.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Goes on from the pointer to the part of what it points to that is to be copied.
macro_rules! add_offset {
    ($offset:ident) => {
        concat!("add {pointer}, {", stringify!($offset), "}")
    };
}

/// `copy_through` of a size that fits one register: the value never goes through memory.
macro_rules! copy_one {
    ($handle:ident, $source:ident, $target:ident, $register:ty, $type:ty, $load:literal $(, $offset:ident)?) => {{
        let (pointer, value): (usize, $register);
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $(add_offset!($offset),)?
            $load,
            "3:",
            on_abort!("xor {pointer:e}, {pointer:e}", "jmp 3b"),
            source = in(reg) $source,
            $($offset = in(reg) $offset,)?
            cs = in(reg) $handle.cs,
            pointer = out(reg) pointer,
            value = out(reg) value
        );
        if pointer == 0 {
            return Outcome::Aborted;
        }
        $target.cast::<$type>().write_unaligned(value as $type);
    }};
}

/// `copy_through` of some whole 8-byte words: `$word` lists their offsets.
macro_rules! copy_words {
    ($handle:ident, $source:ident, $target:ident, $($word:literal)+ $(, $offset:ident)?) => {
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $(add_offset!($offset),)?
            $(
                concat!("mov {value}, qword ptr [{pointer} + ", $word, "]"),
                concat!("mov qword ptr [{target} + ", $word, "], {value}"),
            )+
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) $source,
            $($offset = in(reg) $offset,)?
            target = in(reg) $target,
            cs = in(reg) $handle.cs,
            pointer = out(reg) _,
            value = out(reg) _
        )
    };
}

/// Copies by the sequence that is made for the size, which is a constant at every call, so that one arm
/// remains. `$offset`, if it is given, is that of a part.
macro_rules! copy {
    ($handle:ident, $source:ident, $target:ident, $size:ident $(, $offset:ident)?) => {
        match $size {
            1 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u8,
                "movzx {value:e}, byte ptr [{pointer}]"
                $(, $offset)?
            ),
            2 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u16,
                "movzx {value:e}, word ptr [{pointer}]"
                $(, $offset)?
            ),
            4 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u32,
                "mov {value:e}, dword ptr [{pointer}]"
                $(, $offset)?
            ),
            8 => copy_one!(
                $handle,
                $source,
                $target,
                *mut (),
                *mut (),
                "mov {value}, qword ptr [{pointer}]"
                $(, $offset)?
            ),
            16 => {
                copy_words!($handle, $source, $target, "0" "8" $(, $offset)?);
            }
            24 => {
                copy_words!($handle, $source, $target, "0" "8" "16" $(, $offset)?);
            }
            32 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" $(, $offset)?);
            }
            40 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" $(, $offset)?);
            }
            48 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" $(, $offset)?);
            }
            56 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" "48" $(, $offset)?);
            }
            64 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" "48" "56" $(, $offset)?);
            }
            _ => {
                sequence!(
                    descriptor!(),
                    "lea rsi, [rip + 9b]",
                    "mov qword ptr fs:[{cs}], rsi",
                    "2:",
                    check_registration!(),
                    "mov rsi, qword ptr [{source}]",
                    delay!(4),
                    $(concat!("add rsi, {", stringify!($offset), "}"),)?
                    // Interruptible between its iterations; the copy starts over then.
                    "rep movsb",
                    "3:",
                    on_abort!("jmp {aborted}"),
                    aborted = label { return Outcome::Aborted },
                    source = in(reg) $source,
                    $($offset = in(reg) $offset,)?
                    cs = in(reg) $handle.cs,
                    inout("rdi") $target => _,
                    inout("rcx") $size => _,
                    out("rsi") _
                );
            }
        }
    };
}

/// See [`crate::ops::copy_through`]. `size` is a constant at every call.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's, `source` points to `size` bytes that stay until a restart,
    // which aborts this, and `target` has room for them, as the caller promises. Nobody else sees
    // `target`, so a copy that is cut short is invisible.
    unsafe {
        copy!(handle, source, target, size);
    }
    Outcome::Committed
}

/// See [`crate::ops::copy_part_through`]. `size` is a constant at every call.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn copy_part_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's, `source` points to a value with `size` bytes at `offset` that stay
    // until a restart, which aborts this, and `target` has room for them, as the caller promises. Nobody
    // else sees `target`, so a copy that is cut short is invisible.
    unsafe {
        copy!(handle, source, target, size, offset);
    }
    Outcome::Committed
}
