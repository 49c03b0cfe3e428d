//! The copies that are read-side sections.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Leads from the loaded pointer to what is to be copied: a part of what the pointer points to or, where
/// `$behind` is given, a part of what the second pointer, at the offset, points to.
///
/// The load of the second pointer depends on the first pointer, and the loads of the copy depend on the second
/// one. That orders them sufficiently, because both targets were published with the first pointer.
macro_rules! go_on {
    ($offset:ident) => {
        concat!("add {pointer}, {pointer}, {", stringify!($offset), "}")
    };
    ($offset:ident, $behind:ident) => {
        concat!(
            "ldr {pointer}, [{pointer}, {",
            stringify!($offset),
            "}]\n",
            delay!(26),
            "\nadd {pointer}, {pointer}, {",
            stringify!($behind),
            "}"
        )
    };
}

/// The copy of a size that fits one register: the value never goes through memory.
macro_rules! copy_one {
    ($handle:ident, $source:ident, $target:ident, $type:ty, $load:literal $(, $offset:ident $(, $behind:ident)?)?) => {{
        let (pointer, value): (usize, u64);
        sequence!(
            $handle,
            arm!("pointer"),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $(go_on!($offset $(, $behind)?),)?
            $load,
            "3:",
            on_abort!("mov {pointer}, xzr", "b 3b"),
            source = in(reg) $source,
            $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
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
            $handle,
            arm!("pointer"),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $(go_on!($offset $(, $behind)?),)?
            $(
                concat!("ldr {value}, [{pointer}, #", $word, "]"),
                concat!("str {value}, [{target}, #", $word, "]"),
            )+
            "3:",
            on_abort!("b {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) $source,
            $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
            target = in(reg) $target,
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
            1 => copy_one!($handle, $source, $target, u8, "ldrb {value:w}, [{pointer}]" $(, $offset $(, $behind)?)?),
            2 => copy_one!($handle, $source, $target, u16, "ldrh {value:w}, [{pointer}]" $(, $offset $(, $behind)?)?),
            4 => copy_one!($handle, $source, $target, u32, "ldr {value:w}, [{pointer}]" $(, $offset $(, $behind)?)?),
            8 => copy_one!($handle, $source, $target, u64, "ldr {value}, [{pointer}]" $(, $offset $(, $behind)?)?),
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
                    $handle,
                    arm!("pointer"),
                    "2:",
                    check_registration!(),
                    load_pointer!(),
                    delay!(4),
                    $(go_on!($offset $(, $behind)?),)?
                    // Words while eight bytes are left, then bytes. The registers that count are
                    // changed on the way, so an abort gives up and does not start over.
                    "5: subs {left}, {left}, #8",
                    "b.lo 6f",
                    "ldr {value}, [{pointer}], #8",
                    "str {value}, [{target}], #8",
                    "b 5b",
                    "6: adds {left}, {left}, #8",
                    "b.eq 3f",
                    "7: ldrb {value:w}, [{pointer}], #1",
                    "strb {value:w}, [{target}], #1",
                    "subs {left}, {left}, #1",
                    "b.ne 7b",
                    "3:",
                    on_abort!("b {aborted}"),
                    aborted = label { return Outcome::Aborted },
                    source = in(reg) $source,
                    $($offset = in(reg) $offset, $($behind = in(reg) $behind,)?)?
                    target = inout(reg) $target => _,
                    left = inout(reg) $size => _,
                    pointer = out(reg) _,
                    value = out(reg) _
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
