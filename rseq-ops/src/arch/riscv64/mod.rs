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

/// Stores the descriptor's address into `rseq_cs`. Leaves the address of `rseq_cs` in `{at}`.
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

/// The abort handler, out of line: the signature, label 4, and the instructions that follow an abort.
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

/// Aborts on a thread that is not registered, in sequences that need no index.
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

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark; nothing in builds without delays.
#[cfg(rseq_ops_delay_injection)]
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
#[cfg(not(rseq_ops_delay_injection))]
macro_rules! delay {
    ($point:literal) => {
        ""
    };
}

/// `asm!`, with the operands that every sequence needs: the handle's `cs`, the signature, two registers that
/// are free once the sequence is armed and, in builds with delay loops, the registers of those.
macro_rules! sequence {
    ($handle:ident, $($body:tt)+) => {
        #[cfg(rseq_ops_delay_injection)]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            scratch = out(reg) _,
            at = out(reg) _,
            signature = const crate::abi::SIGNATURE,
            delay = out(reg) _,
            delays = in(reg) &raw const crate::delay::LOOPS
        );
        #[cfg(not(rseq_ops_delay_injection))]
        asm!(
            $($body)+,
            cs = in(reg) $handle.cs,
            scratch = out(reg) _,
            at = out(reg) _,
            signature = const crate::abi::SIGNATURE
        );
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
