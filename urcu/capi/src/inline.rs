//! What the read side that is compiled into programs needs: `include/urcu-percpu/inline.h`.

use core::sync::atomic::{AtomicIsize, AtomicPtr, Ordering::Relaxed};

use urcu::raw::SectionWords;

use crate::nesting::nesting;

/// The offset of the way from the phase. Bytes; as in the header.
const WAY: isize = -24;
/// And the bound.
const BOUND: isize = -32;

/// `struct urcu_percpu_inline_`.
#[repr(C)]
pub(crate) struct Inline {
    /// The offset of the nesting word from the thread pointer.
    nesting: AtomicIsize,
    /// The address of the phase.
    phase: AtomicPtr<usize>,
}

/// Stands for a phase, a bound and a way, all 0: calls the functions.
static NONE: [usize; 8] = [0; 8];

/// Read by programs. Until the library has set itself up, and where this library's sequences are not those
/// of the header, it leads to the functions.
#[unsafe(no_mangle)]
pub(crate) static urcu_percpu_inline_: Inline = Inline {
    nesting: AtomicIsize::new(0),
    phase: AtomicPtr::new((&raw const NONE[4]).cast_mut()),
};

/// Lets programs use their own sequences.
pub(crate) fn offer() {
    if cfg!(rseq_ops_portable) || cfg!(rseq_ops_delay_injection) {
        return;
    }
    let words = urcu::global().section_words();
    let phase = words.phase.addr() as isize;
    let is_the_headers = words.way.addr() as isize - phase == WAY
        && words.bound.addr() as isize - phase == BOUND
        && SectionWords::BIAS == 1 << 30
        && SectionWords::SHIFT == 16;
    if let Some(pointer) = thread_pointer()
        && is_the_headers
    {
        let distance = (&raw const *nesting()).addr().wrapping_sub(pointer) as isize;
        urcu_percpu_inline_.nesting.store(distance, Relaxed);
        urcu_percpu_inline_.phase.store(words.phase.cast_mut(), Relaxed);
    }
}

/// Returns the thread pointer, where the header has sequences.
fn thread_pointer() -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    {
        let pointer;
        // SAFETY: loads the first word of the thread's control block, which is its address.
        unsafe {
            core::arch::asm!(
                "mov {pointer}, qword ptr fs:[0]",
                pointer = out(reg) pointer,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        Some(pointer)
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}
