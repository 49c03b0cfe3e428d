//! The sequences for AArch64 (little-endian).
//!
//! The shape is that of `x86_64`: arm, then from label 2 to label 3 the sequence, whose last
//! instruction is the commit; the descriptor is label 9, the abort handler label 4, out of line
//! behind its signature. The area is found from the thread pointer, `tpidr_el0`.
//!
//! # Ordering
//! x86-64 orders loads with loads and stores with stores. Here the instructions must ask for it:
//!
//! * The load of a *pointer* (`add_through`, `copy_through`) is an acquire: what the caller reads
//!   after the operation is at least as new as what was published with the pointer.
//! * The loads of the words that the sequences with an index compare are acquires too.
//! * The commits of `sub_if_current` and `add` are releases: when somebody sees the commit, all that the
//!   caller accessed before the operation is over.
//! * The commit of `add_through` is a plain store. Only a `membarrier` orders it before the caller's
//!   later loads, on x86-64 too. If the membarrier's interrupt comes after the commit, it executes a full
//!   barrier there; if it comes before the commit, it restarts the sequence.
//! * The comparison of `sub_if_current` is a plain load. It may read a value that was just replaced. If
//!   the commit comes before the restart that follows the replacement, the restart makes the commit
//!   visible; if the restart comes first, the sequence compares again.
//!
//! `ldar` also waits for earlier `stlr`s of its thread, which no sequence here needs. A build for
//! processors with `ldapr` (`-C target-feature=+rcpc`) avoids that wait.
//!
//! The value speculation of `x86_64` is left out: it has not been measured on such a processor.
//!
//! # Registers
//! A branch to or from an abort handler crosses sections. In a program with more than 128 MiB of
//! code the linker inserts a veneer for such a branch, which may change `x16` and `x17`. So no sequence
//! has operands in these registers.

/// Stores the descriptor's address into `rseq_cs`. Leaves the address of `rseq_cs` in `{area}`.
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

/// The abort handler, out of line: the signature, label 4, and the instructions that follow an abort.
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

/// A delay loop at a numbered point (`crate::delay::Point`) and its mark; nothing in builds without delays.
#[cfg(rseq_ops_delay_injection)]
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
#[cfg(not(rseq_ops_delay_injection))]
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

/// Aborts on a thread that is not registered, in sequences that need no index. Changes
/// `{value}`.
macro_rules! check_registration {
    () => {
        "ldur {value:w}, [{area}, #-4]
         tbz {value:w}, #31, 5f
         b 4f
         5:"
    };
}

/// `asm!`, with the operands that every sequence needs: the handle's `cs`, the address that `cs` leads to, the
/// signature, the linker's registers and, in builds with delay loops, the registers of those.
macro_rules! sequence {
    ($handle:ident, $($body:tt)+) => {
        #[cfg(rseq_ops_delay_injection)]
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
        #[cfg(not(rseq_ops_delay_injection))]
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
