//! The copies that are read-side sections.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Leads from the loaded pointer to what is to be copied: a part of what the pointer points to or, where
/// `$behind` is given, a part of what the second pointer, at the offset, points to.
macro_rules! go_on {
    ($pointer:literal, $offset:ident) => {
        concat!("add ", $pointer, ", {", stringify!($offset), "}")
    };
    ($pointer:literal, $offset:ident, $behind:ident) => {
        concat!(
            "mov ",
            $pointer,
            ", qword ptr [",
            $pointer,
            " + {",
            stringify!($offset),
            "}]\n",
            delay!(26),
            "\nadd ",
            $pointer,
            ", {",
            stringify!($behind),
            "}"
        )
    };
}

/// The copy of a size that fits one register: the value never goes through memory.
macro_rules! copy_one {
    ($handle:ident, $source:ident, $target:ident, $register:ty, $type:ty, $load:literal $(, $offset:ident $(, $behind:ident)?)?) => {{
        let (pointer, value): (usize, $register);
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $(go_on!("{pointer}", $offset $(, $behind)?),)?
            $load,
            "3:",
            on_abort!("xor {pointer:e}, {pointer:e}", "jmp 3b"),
            source = in(reg) $source,
            $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
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

/// The copy of a few whole 8-byte words. `$word` lists their offsets.
macro_rules! copy_words {
    ($handle:ident, $source:ident, $target:ident, $($word:literal)+ $(, $offset:ident $(, $behind:ident)?)?) => {
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $(go_on!("{pointer}", $offset $(, $behind)?),)?
            $(
                concat!("mov {value}, qword ptr [{pointer} + ", $word, "]"),
                concat!("mov qword ptr [{target} + ", $word, "], {value}"),
            )+
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) $source,
            $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
            target = in(reg) $target,
            cs = in(reg) $handle.cs,
            pointer = out(reg) _,
            value = out(reg) _
        )
    };
}

/// Copies by the sequence that is made for the size. The size is a constant at every call, so only one arm
/// remains. `$offset`, if given, is the offset of the part to copy. If `$behind` is given too, `$offset` is
/// where the second pointer lies, and `$behind` the offset of the part in what that points to.
macro_rules! copy {
    ($handle:ident, $source:ident, $target:ident, $size:ident $(, $offset:ident $(, $behind:ident)?)?) => {
        match $size {
            1 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u8,
                "movzx {value:e}, byte ptr [{pointer}]"
                $(, $offset $(, $behind)?)?
            ),
            2 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u16,
                "movzx {value:e}, word ptr [{pointer}]"
                $(, $offset $(, $behind)?)?
            ),
            4 => copy_one!(
                $handle,
                $source,
                $target,
                u32,
                u32,
                "mov {value:e}, dword ptr [{pointer}]"
                $(, $offset $(, $behind)?)?
            ),
            8 => copy_one!(
                $handle,
                $source,
                $target,
                *mut (),
                *mut (),
                "mov {value}, qword ptr [{pointer}]"
                $(, $offset $(, $behind)?)?
            ),
            16 => {
                copy_words!($handle, $source, $target, "0" "8" $(, $offset $(, $behind)?)?);
            }
            24 => {
                copy_words!($handle, $source, $target, "0" "8" "16" $(, $offset $(, $behind)?)?);
            }
            32 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" $(, $offset $(, $behind)?)?);
            }
            40 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" $(, $offset $(, $behind)?)?);
            }
            48 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" $(, $offset $(, $behind)?)?);
            }
            56 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" "48" $(, $offset $(, $behind)?)?);
            }
            64 => {
                copy_words!($handle, $source, $target, "0" "8" "16" "24" "32" "40" "48" "56" $(, $offset $(, $behind)?)?);
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
                    $(go_on!("rsi", $offset $(, $behind)?),)?
                    // This can be interrupted between its iterations; then the copy starts over.
                    "rep movsb",
                    "3:",
                    on_abort!("jmp {aborted}"),
                    aborted = label { return Outcome::Aborted },
                    source = in(reg) $source,
                    $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
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
/// The requirements of [`crate::ops::copy_through`].
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
/// The requirements of [`crate::ops::copy_part_through`].
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

/// See [`crate::ops::copy_behind_through`]. `size` is a constant at every call.
///
/// # Safety
/// The requirements of [`crate::ops::copy_behind_through`].
#[inline(always)]
pub(crate) unsafe fn copy_behind_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    behind: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's, `source` points to a value with a pointer at `offset`, and both it and
    // the `size` bytes that the pointer leads to stay until a restart; `target` is the caller's own.
    unsafe {
        copy!(handle, source, target, size, offset, behind);
    }
    Outcome::Committed
}
