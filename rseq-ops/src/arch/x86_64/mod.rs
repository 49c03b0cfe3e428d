//! The sequences for x86-64.
//!
//! Each is one `asm!` block of the same shape: store the descriptor's address into `rseq_cs`
//! (arming), then, from label 2 to label 3, the sequence, whose last instruction is the commit.
//! The descriptor (label 9) lies in `__rseq_cs`; the abort handler (label 4) lies out of line
//! behind its signature, which is the operand of an `ud1` so that disassemblers stay in step.
//! Nothing disarms: a descriptor whose range the thread has left is ignored by the kernel.
//!
//! The index of the sequences that find their word by a stride is `cpu_id`, 4 bytes before `rseq_cs`.
//! They compare it with the handle's bound, as an unsigned number. So one comparison aborts on an index
//! beyond all words, and also on a negative one, which threads without a registration read.
//!
//! Loads and stores on x86-64 are acquires and releases as they are, and an `asm!` block without
//! `nomem` is a compiler barrier; so every sequence here has acquire loads and a release commit.
//!
//! # Value speculation
//! A counter that many sections increment and decrement in turn is a chain of store-to-load
//! forwardings: six cycles for each increment on many processors. The counters here are mostly at 0
//! between sections, so `add_through` *guesses* 0 with a branch. If the guess is right, the new value
//! does not depend on the load, and the chain is broken. `sub_if_current` guesses that the counter is as
//! the section's `add_through` left it. So where the counter is at another value between sections, because
//! another section is open on this CPU, the chain has one link for each section instead of two. If a guess
//! is wrong, the sequence adds to the loaded value instead: the result is the same.

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

/// The abort handler, out of line: the signature, label 4, and the instructions that follow an abort.
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

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark; nothing in builds without delays.
#[cfg(rseq_ops_delay_injection)]
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
#[cfg(not(rseq_ops_delay_injection))]
macro_rules! delay {
    ($point:literal) => {
        ""
    };
}

/// `asm!`, with the registers that the delay loops need in builds that have them.
macro_rules! sequence {
    ($($body:tt)+) => {
        #[cfg(rseq_ops_delay_injection)]
        asm!($($body)+, delay = out(reg) _, delays = in(reg) &raw const crate::delay::LOOPS);
        #[cfg(not(rseq_ops_delay_injection))]
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

/// Aborts on a thread that is not registered, in sequences that need no index.
macro_rules! check_registration {
    () => {
        "cmp dword ptr fs:[{cs} - 4], 0
         jl 4f"
    };
}

mod append;
mod copy;
mod indexed;
mod lookup;
mod lookup_inline;
mod stride;
mod structures;
mod thread;

pub(crate) use append::*;
pub(crate) use copy::*;
pub(crate) use indexed::*;
pub(crate) use lookup::*;
pub(crate) use lookup_inline::*;
pub(crate) use stride::*;
pub(crate) use structures::*;
pub(crate) use thread::*;
