//! The sequences for x86-64.
//!
//! Each is one `asm!` block of the same shape: store the descriptor's address into `rseq_cs`
//! (arming), then, from label 2 to label 3, the sequence, whose last instruction is the commit.
//! The descriptor (label 9) lies in `__rseq_cs`; the abort handler (label 4) lies out of line
//! behind its signature, which is the operand of an `ud1` so that disassemblers stay in step.
//! Nothing disarms: a descriptor whose range the thread has left is ignored by the kernel.
//!
//! The index of the sequences that find their word by a stride is `cpu_id`, 4 bytes before
//! `rseq_cs`, and one unsigned comparison with the handle's bound decides: a negative one, which is
//! what threads without a registration read, aborts as one does that lies beyond all words.
//!
//! Loads and stores on x86-64 are acquires and releases as they are, and an `asm!` block without
//! `nomem` is a compiler barrier; so every sequence here has acquire loads and a release commit.
//!
//! # Value speculation
//! A counter that many sections increment and decrement in turn is a chain of store-to-load
//! forwardings: six cycles an increment on many processors. The counters here mostly rest at 0
//! between sections, so `add_through` *guesses* 0 with a branch: on the guessed way the new value
//! does not depend on the load, and the chain is broken. `sub_if_current` guesses that the counter
//! is as its section's `add_through` left it, so where it rests at another value, because another
//! section is open on this CPU, the chain has one link a section and not two. Where a guess is
//! wrong, the same two instructions later add to what was loaded: nothing is lost.

use core::arch::asm;

use crate::ops::Outcome;
use crate::registration::Handle;

/// The descriptor of the sequence between labels 2 and 3 with its abort handler at label 4.
macro_rules! descriptor {
    () => {
        ".pushsection __rseq_cs, \"aw\"
         .balign 32
         9: .long 0, 0
         .quad 2f, 3f - 2f, 4f
         .popsection"
    };
}

/// The abort handler, out of line: the signature, label 4, and what to do.
macro_rules! on_abort {
    ($($action:literal),+) => {
        concat!(
            ".pushsection .text.unlikely, \"ax\"
             .byte 0x0f, 0xb9, 0x3d
             .long 0x53053053
             4: ",
            $($action, "\n",)+
            ".popsection"
        )
    };
}

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark, or nothing.
#[cfg(feature = "delay-injection")]
macro_rules! delay {
    ($point:literal) => {
        concat!(
            "mov {delay}, qword ptr [{delays} + 16 * ",
            $point,
            "]
             test {delay}, {delay}
             jz 67f
             mov qword ptr [{delays} + 8 + 16 * ",
            $point,
            "], {delay}
             66: dec {delay}
             jnz 66b
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

/// `asm!`, with the registers that the delay loops need where there are any.
macro_rules! sequence {
    ($($body:tt)+) => {
        #[cfg(feature = "delay-injection")]
        asm!($($body)+, delay = out(reg) _, delays = in(reg) &raw const crate::delay::LOOPS);
        #[cfg(not(feature = "delay-injection"))]
        asm!($($body)+);
    };
}

/// Loads the index into `{word}`; aborts where it is not below `{bound}`.
macro_rules! load_index {
    () => {
        "mov {word:e}, dword ptr fs:[{cs} - 4]
         cmp {word:e}, {bound:e}
         jae 4f"
    };
}

/// Aborts on a thread without a registration, for the sequences that need no index.
macro_rules! check_registration {
    () => {
        "cmp dword ptr fs:[{cs} - 4], 0
         jl 4f"
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
/// As there.
#[inline(always)]
pub(crate) unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: as in `add_through`.
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

/// See [`crate::ops::add`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: as in `add_through`.
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

/// `copy_through` of a size that fits one register: the value never goes through memory.
macro_rules! copy_one {
    ($handle:ident, $source:ident, $target:ident, $register:ty, $type:ty, $load:literal) => {{
        let (pointer, value): (usize, $register);
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $load,
            "3:",
            on_abort!("xor {pointer:e}, {pointer:e}", "jmp 3b"),
            source = in(reg) $source,
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
    ($handle:ident, $source:ident, $target:ident, $($word:literal)+) => {
        sequence!(
            descriptor!(),
            "lea {pointer}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {pointer}",
            "2:",
            check_registration!(),
            "mov {pointer}, qword ptr [{source}]",
            delay!(4),
            $(
                concat!("mov {value}, qword ptr [{pointer} + ", $word, "]"),
                concat!("mov qword ptr [{target} + ", $word, "], {value}"),
            )+
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) $source,
            target = in(reg) $target,
            cs = in(reg) $handle.cs,
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
            1 => copy_one!(
                handle,
                source,
                target,
                u32,
                u8,
                "movzx {value:e}, byte ptr [{pointer}]"
            ),
            2 => copy_one!(
                handle,
                source,
                target,
                u32,
                u16,
                "movzx {value:e}, word ptr [{pointer}]"
            ),
            4 => copy_one!(
                handle,
                source,
                target,
                u32,
                u32,
                "mov {value:e}, dword ptr [{pointer}]"
            ),
            8 => copy_one!(
                handle,
                source,
                target,
                *mut (),
                *mut (),
                "mov {value}, qword ptr [{pointer}]"
            ),
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
                    descriptor!(),
                    "lea rsi, [rip + 9b]",
                    "mov qword ptr fs:[{cs}], rsi",
                    "2:",
                    check_registration!(),
                    "mov rsi, qword ptr [{source}]",
                    delay!(4),
                    // Interruptible between its iterations; the copy starts over then.
                    "rep movsb",
                    "3:",
                    on_abort!("jmp {aborted}"),
                    aborted = label { return Outcome::Aborted },
                    source = in(reg) source,
                    cs = in(reg) handle.cs,
                    inout("rdi") target => _,
                    inout("rcx") size => _,
                    out("rsi") _
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
    // SAFETY: reads the thread pointer from its own slot, where the x86-64 TLS ABI keeps it.
    unsafe {
        asm!(
            "mov {pointer}, qword ptr fs:[0]",
            pointer = out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
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
            "mov {word:e}, dword ptr fs:[{offset}]",
            offset = in(reg) offset,
            word = out(reg) word,
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
            "mov {offset}, qword ptr [rip + __rseq_offset@GOTPCREL]",
            "mov {size}, qword ptr [rip + __rseq_size@GOTPCREL]",
            offset = out(reg) offset,
            size = out(reg) size,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    (offset, size)
}
