//! Sequences for x86-64 made for one structure of `percpu` each. Their shape is explained in
//! `x86_64`.

use core::arch::asm;

use crate::ops::Outcome;
use crate::registration::Handle;

/// The index of the calling thread as it is now.
#[inline(always)]
pub(crate) fn current_index(handle: Handle) -> u32 {
    let index;
    // SAFETY: reads the word of the thread's own area that a handle stands for; what is there
    // may change at any time, hence not `pure`.
    unsafe {
        asm!(
            "mov {index:e}, dword ptr fs:[{offset}]",
            offset = in(reg) handle.index,
            index = out(reg) index,
            options(readonly, nostack, preserves_flags)
        );
    }
    index
}

/// Adds `delta` to one of the two words of this CPU's slot relative to `base`, in turn. The third
/// word, 0 or 8, says which one comes next.
///
/// Additions to one word are a chain of store-to-load forwardings, some six cycles each. Turns
/// make two chains of it; and because the turn is taken by a branch, which is predicted without
/// fail, the turns are no chain themselves. The turn is a hint: stored before the commit, it may
/// change without an addition.
///
/// # Safety
/// As for [`crate::ops::add`], with three such words.
#[inline(always)]
pub(crate) unsafe fn add_in_turns<const SHIFT: u32>(
    handle: Handle,
    base: usize,
    delta: i64,
) -> Outcome {
    // SAFETY: the caller's; as in `x86_64`.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            "mov {word:e}, dword ptr fs:[{index}]",
            "shl {word}, {shift}",
            "add {word}, {base}",
            "cmp qword ptr [{word} + 16], 0",
            "mov {turn:e}, 8",
            "je 7f",
            "xor {turn:e}, {turn:e}",
            "7:",
            "mov qword ptr [{word} + 16], {turn}",
            delay!(3),
            "add qword ptr [{word} + {turn}], {delta}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            base = in(reg) base,
            delta = in(reg) delta,
            cs = in(reg) handle.cs,
            index = in(reg) handle.index,
            shift = const SHIFT,
            word = out(reg) _,
            turn = out(reg) _
        );
    }
    Outcome::Committed
}
