//! The sequences for RISC-V 64.
//!
//! The shape is that of `x86_64`: arm, then from label 2 to label 3 the sequence, whose last
//! instruction is the commit; the descriptor is label 9, the abort handler label 4, out of line
//! behind its signature. The area is found from the thread pointer, `tp`. The orderings, and why
//! they are enough, are those of `aarch64`; an acquire is a load and `fence r, rw`, a release is
//! `fence rw, w` and a store.
//!
//! Handlers out of line are too far for a branch or `j` (1 MiB), so they leave with `jump`, which
//! needs a scratch register.
//!
//! No emulator on x86-64 shows the weak ordering of a real processor.

use core::arch::asm;

use crate::ops::Outcome;
use crate::registration::Handle;

/// Stores the descriptor's address into `rseq_cs`. Leaves the address of that in `{at}`.
macro_rules! arm {
    () => {
        ".pushsection __rseq_cs, \"aw\"
         .balign 32
         9: .long 0, 0
         .quad 2f, 3f - 2f, 4f
         .popsection
         lla {scratch}, 9b
         add {at}, tp, {cs}
         sd {scratch}, 0({at})"
    };
}

/// The abort handler, out of line: the signature, label 4, and what to do.
macro_rules! on_abort {
    ($($action:literal),+) => {
        concat!(
            ".pushsection .text.unlikely, \"ax\"
             .balign 4
             .word {signature}
             4: ",
            $($action, "\n",)+
            ".popsection"
        )
    };
}

/// Loads the pointer that an operation goes through, into `{pointer}`, with acquire.
macro_rules! load_pointer {
    () => {
        "ld {pointer}, 0({source})
         fence r, rw"
    };
}

/// Loads the index into `{word}`; aborts where it is not below `{bound}`: see `x86_64`. `lw` extends
/// the sign, so that a negative index is beyond every bound here too.
macro_rules! load_index {
    () => {
        "lw {word}, -4({at})
         bltu {word}, {bound}, 5f
         jump 4f, {scratch}
         5:"
    };
}

/// Aborts on a thread without a registration, for the sequences that need no index.
macro_rules! check_registration {
    () => {
        "lw {scratch}, -4({at})
         bgez {scratch}, 5f
         jump 4f, {scratch}
         5:"
    };
}

/// `{word} = $base + ({word} << SHIFT)`
macro_rules! find_word {
    ($base:literal) => {
        concat!("slli {word}, {word}, {shift}\nadd {word}, {word}, ", $base)
    };
}

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark, or nothing.
#[cfg(feature = "delay-injection")]
macro_rules! delay {
    ($point:literal) => {
        concat!(
            "ld {delay}, 16 * ",
            $point,
            "({delays})
             beqz {delay}, 67f
             sd {delay}, 8 + 16 * ",
            $point,
            "({delays})
             66: addi {delay}, {delay}, -1
             bnez {delay}, 66b
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

/// `asm!`, with what every sequence needs: the handle's `cs`, the signature, two registers that
/// are free once it is armed, and those of the delay loops where there are any.
macro_rules! sequence {
    ($handle:ident, $($body:tt)+) => {
        #[cfg(feature = "delay-injection")]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            scratch = out(reg) _,
            at = out(reg) _,
            signature = const crate::abi::SIGNATURE,
            delay = out(reg) _,
            delays = in(reg) &raw const crate::delay::LOOPS
        );
        #[cfg(not(feature = "delay-injection"))]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            scratch = out(reg) _,
            at = out(reg) _,
            signature = const crate::abi::SIGNATURE
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
            arm!(),
            "2:",
            load_pointer!(),
            "beqz {pointer}, 3f",
            delay!(0),
            load_index!(),
            find_word!("{pointer}"),
            "ld {value}, 0({word})",
            "addi {value}, {value}, 1",
            delay!(1),
            "sd {value}, 0({word})",
            "3:",
            on_abort!("li {pointer}, 0", "jump 3b, {scratch}"),
            source = in(reg) source,
            bound = in(reg) handle.bound as usize,
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
            arm!(),
            "2:",
            load_index!(),
            "ld {value}, 0({source})",
            "beq {value}, {expected}, 5f",
            "j {mismatch}",
            "5:",
            find_word!("{expected}"),
            "ld {value}, 0({word})",
            "addi {value}, {value}, -1",
            delay!(2),
            "fence rw, w",
            "sd {value}, 0({word})",
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            expected = in(reg) expected,
            bound = in(reg) handle.bound as usize,
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
            arm!(),
            "2:",
            load_index!(),
            find_word!("{base}"),
            "ld {value}, 0({word})",
            "add {value}, {value}, {delta}",
            delay!(3),
            "fence rw, w",
            "sd {value}, 0({word})",
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
            aborted = label { return Outcome::Aborted },
            base = in(reg) base,
            delta = in(reg) delta,
            bound = in(reg) handle.bound as usize,
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
            arm!(),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $load,
            "3:",
            on_abort!("li {pointer}, 0", "jump 3b, {scratch}"),
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
            arm!(),
            "2:",
            check_registration!(),
            load_pointer!(),
            delay!(4),
            $(
                concat!("ld {value}, ", $word, "({pointer})"),
                concat!("sd {value}, ", $word, "({target})"),
            )+
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
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
            1 => copy_one!(handle, source, target, u8, "lbu {value}, 0({pointer})"),
            2 => copy_one!(handle, source, target, u16, "lhu {value}, 0({pointer})"),
            4 => copy_one!(handle, source, target, u32, "lwu {value}, 0({pointer})"),
            8 => copy_one!(handle, source, target, u64, "ld {value}, 0({pointer})"),
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
                    arm!(),
                    "2:",
                    check_registration!(),
                    load_pointer!(),
                    delay!(4),
                    // Words while eight bytes are left, then bytes. The registers that count are
                    // changed on the way, so an abort gives up and does not start over.
                    "5: sltiu {scratch}, {left}, 8",
                    "bnez {scratch}, 6f",
                    "ld {value}, 0({pointer})",
                    "sd {value}, 0({target})",
                    "addi {pointer}, {pointer}, 8",
                    "addi {target}, {target}, 8",
                    "addi {left}, {left}, -8",
                    "j 5b",
                    "6: beqz {left}, 3f",
                    "lbu {value}, 0({pointer})",
                    "sb {value}, 0({target})",
                    "addi {pointer}, {pointer}, 1",
                    "addi {target}, {target}, 1",
                    "addi {left}, {left}, -1",
                    "j 6b",
                    "3:",
                    on_abort!("jump {aborted}, {scratch}"),
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
            "mv {pointer}, tp",
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
            "add {at}, tp, {offset}",
            "lw {word}, 0({at})",
            at = out(reg) _,
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
            "lga {offset}, __rseq_offset",
            "lga {size}, __rseq_size",
            offset = out(reg) offset,
            size = out(reg) size,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    (offset, size)
}
