//! The sequences for AArch64 (little-endian).
//!
//! The shape is that of `x86_64`: arm, then from label 2 to label 3 the sequence, whose last
//! instruction is the commit; the descriptor is label 9, the abort handler label 4, out of line
//! behind its signature. The area is found from the thread pointer, `tpidr_el0`.
//!
//! # Ordering
//! x86-64 orders loads with loads and stores with stores; here it must be said:
//!
//! * the load of a *pointer* (`add_through`, `copy_through`) is an acquire: what the caller reads
//!   after the operation is at least as new as what was published with the pointer;
//! * so are the loads of the words that the sequences with an index compare;
//! * the commits of `sub_if_current` and `add` are releases: what the caller accessed before the
//!   operation is over when somebody sees it;
//! * the commit of `add_through` is a plain store. Nothing but a `membarrier` orders it before the
//!   caller's later loads, on x86-64 too: an interrupt that comes after the commit executes a full
//!   barrier there, one that comes before it restarts the sequence;
//! * the comparison of `sub_if_current` is a plain load: if it reads a value that was just
//!   replaced, the restart that follows the replacement either finds the commit done, and makes it
//!   visible, or makes the sequence compare again.
//!
//! `ldar` also waits for earlier `stlr`s of its thread, which nobody here needs; a build for
//! processors with `ldapr` (`-C target-feature=+rcpc`) does without that wait.
//!
//! The value speculation of `x86_64` is left out: it has not been measured on such a processor.
//!
//! # Registers
//! A branch to or from an abort handler crosses sections. In a program with more than 128 MiB of
//! code the linker puts a veneer in its way, which may use `x16` and `x17`: so no sequence has
//! operands there.

use core::arch::asm;

use crate::ops::Outcome;
use crate::registration::Handle;

/// Stores the descriptor's address into `rseq_cs`. Leaves the address of that in `{area}`.
macro_rules! arm {
    ($scratch:literal) => {
        concat!(
            ".pushsection __rseq_cs, \"aw\"
             .balign 32
             9: .long 0, 0
             .quad 2f, 3f - 2f, 4f
             .popsection
             mrs {area}, tpidr_el0
             add {area}, {area}, {cs}
             adrp {",
            $scratch,
            "}, 9b
             add {",
            $scratch,
            "}, {",
            $scratch,
            "}, :lo12:9b
             str {",
            $scratch,
            "}, [{area}]"
        )
    };
}

/// The abort handler, out of line: the signature, label 4, and what to do.
macro_rules! on_abort {
    ($($action:literal),+) => {
        concat!(
            ".pushsection .text.unlikely, \"ax\"
             .balign 4
             .inst {signature}
             4: ",
            $($action, "\n",)+
            ".popsection"
        )
    };
}

/// The mnemonic of an acquire load.
#[cfg(target_feature = "rcpc")]
macro_rules! load_acquire {
    () => {
        "ldapr"
    };
}
#[cfg(not(target_feature = "rcpc"))]
macro_rules! load_acquire {
    () => {
        "ldar"
    };
}

/// Loads the pointer that an operation goes through, into `{pointer}`.
macro_rules! load_pointer {
    () => {
        concat!(load_acquire!(), " {pointer}, [{source}]")
    };
}

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark, or nothing.
#[cfg(feature = "delay-injection")]
macro_rules! delay {
    ($point:literal) => {
        concat!(
            "ldr {delay}, [{delays}, #(16 * ",
            $point,
            ")]
             cbz {delay}, 67f
             str {delay}, [{delays}, #(8 + 16 * ",
            $point,
            ")]
             66: sub {delay}, {delay}, #1
             cbnz {delay}, 66b
             67:"
        )
    };
}
#[cfg(not(feature = "delay-injection"))]
macro_rules! delay {
    ($point:literal) => {
        ""
    };
}

/// Loads the index into `{word}`; aborts where it is not below `{bound}`: see `x86_64`. Label 4 is
/// too far for a conditional branch.
macro_rules! load_index {
    () => {
        "ldur {word:w}, [{area}, #-4]
         cmp {word:w}, {bound:w}
         b.lo 5f
         b 4f
         5:"
    };
}

/// Aborts on a thread without a registration, for the sequences that need no index. Changes
/// `{value}`.
macro_rules! check_registration {
    () => {
        "ldur {value:w}, [{area}, #-4]
         tbz {value:w}, #31, 5f
         b 4f
         5:"
    };
}

/// `asm!`, with what every sequence needs: the handle's `cs`, the address it leads to, the signature,
/// the linker's registers, and those of the delay loops where there are any.
macro_rules! sequence {
    ($handle:ident, $($body:tt)+) => {
        #[cfg(feature = "delay-injection")]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            area = out(reg) _,
            signature = const crate::abi::SIGNATURE,
            delay = out(reg) _,
            delays = in(reg) &raw const crate::delay::LOOPS,
            out("x16") _,
            out("x17") _
        );
        #[cfg(not(feature = "delay-injection"))]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            area = out(reg) _,
            signature = const crate::abi::SIGNATURE,
            out("x16") _,
            out("x17") _
        );
    };
}

mod indexed;
pub(crate) use indexed::*;

/// See [`crate::ops::add_through`]: the pointer, 0 for an abort, and the value stored.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn add_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> (usize, u64) {
    let (pointer, value);
    // SAFETY: the caller's: the handle is this thread's, the word and what it points to are
    // valid for as long as the sequence runs. The block writes only `rseq_cs` and the counter.
    // The commit is its last instruction and nothing before it writes anything else.
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
/// As there.
#[inline(always)]
pub(crate) unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    _guess: u64,
) -> Outcome {
    // SAFETY: as in `add_through`.
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
/// As there.
#[inline(always)]
pub(crate) unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: as in `add_through`.
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

/// `copy_through` of a size that fits one register: the value never goes through memory.
macro_rules! copy_one {
    ($handle:ident, $source:ident, $target:ident, $type:ty, $load:literal) => {{
        let (pointer, value): (usize, u64);
        sequence!(
            $handle,
            arm!("pointer"),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $load,
            "3:",
            on_abort!("mov {pointer}, xzr", "b 3b"),
            source = in(reg) $source,
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
    ($handle:ident, $source:ident, $target:ident, $($word:literal)+) => {
        sequence!(
            $handle,
            arm!("pointer"),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $(
                concat!("ldr {value}, [{pointer}, #", $word, "]"),
                concat!("str {value}, [{target}, #", $word, "]"),
            )+
            "3:",
            on_abort!("b {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) $source,
            target = in(reg) $target,
            pointer = out(reg) _,
            value = out(reg) _
        )
    };
}

/// See [`crate::ops::copy_through`]. `size` is a constant at every call, so one arm remains.
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
    // SAFETY: the caller's: as in `add_through`, and `target` has room for `size` bytes that
    // nobody else sees, so that a copy cut short is invisible: it runs again or is given up.
    unsafe {
        match size {
            1 => copy_one!(handle, source, target, u8, "ldrb {value:w}, [{pointer}]"),
            2 => copy_one!(handle, source, target, u16, "ldrh {value:w}, [{pointer}]"),
            4 => copy_one!(handle, source, target, u32, "ldr {value:w}, [{pointer}]"),
            8 => copy_one!(handle, source, target, u64, "ldr {value}, [{pointer}]"),
            16 => {
                copy_words!(handle, source, target, "0" "8");
            }
            24 => {
                copy_words!(handle, source, target, "0" "8" "16");
            }
            32 => {
                copy_words!(handle, source, target, "0" "8" "16" "24");
            }
            40 => {
                copy_words!(handle, source, target, "0" "8" "16" "24" "32");
            }
            48 => {
                copy_words!(handle, source, target, "0" "8" "16" "24" "32" "40");
            }
            56 => {
                copy_words!(handle, source, target, "0" "8" "16" "24" "32" "40" "48");
            }
            64 => {
                copy_words!(handle, source, target, "0" "8" "16" "24" "32" "40" "48" "56");
            }
            _ => {
                sequence!(
                    handle,
                    arm!("pointer"),
                    "2:",
                    check_registration!(),
                    load_pointer!(),
                    delay!(4),
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
                    source = in(reg) source,
                    target = inout(reg) target => _,
                    left = inout(reg) size => _,
                    pointer = out(reg) _,
                    value = out(reg) _
                );
            }
        }
    }
    Outcome::Committed
}

/// What the offsets of areas count from.
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe {
        asm!(
            "mrs {pointer}, tpidr_el0",
            pointer = out(reg) pointer,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    pointer
}

/// Loads the word `offset` bytes from the thread pointer.
///
/// # Safety
/// There is a word of this thread there.
#[inline(always)]
pub(crate) unsafe fn thread_word(offset: isize) -> u32 {
    let word;
    // SAFETY: the caller's. Not `pure`: the kernel changes the word at any time.
    unsafe {
        asm!(
            "mrs {tp}, tpidr_el0",
            "ldr {word:w}, [{tp}, {offset}]",
            tp = out(reg) _,
            offset = in(reg) offset,
            word = lateout(reg) word,
            options(readonly, nostack, preserves_flags)
        );
    }
    word
}

/// The addresses of libc's `__rseq_offset` and `__rseq_size` in a program that contains its libc; null
/// if that has none. See [`crate::loader`].
#[cfg(target_feature = "crt-static")]
pub(crate) fn linked_symbols() -> (*const isize, *const u32) {
    let offset: *const isize;
    let size: *const u32;
    // SAFETY: loads two entries of the GOT: the symbols are weak, so they are addresses or null.
    unsafe {
        asm!(
            // Here, so that they are weak in every object that refers to them.
            ".weak __rseq_offset",
            ".weak __rseq_size",
            "adrp {offset}, :got:__rseq_offset",
            "ldr {offset}, [{offset}, :got_lo12:__rseq_offset]",
            "adrp {size}, :got:__rseq_size",
            "ldr {size}, [{size}, :got_lo12:__rseq_size]",
            offset = out(reg) offset,
            size = out(reg) size,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    (offset, size)
}
