//! The words that sequences in assembly need: the sequences of `include/urcu-percpu/inline.h`, which are compiled into
//! programs, and those of [`fast`](crate::fast).

use core::ffi::c_int;
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicIsize, AtomicPtr,
    Ordering::{Relaxed, Release},
};

use urcu::raw::SectionWords;

use crate::nesting::{TRACED, nesting};

/// The offset of the way from the phase, in bytes.
const WAY: isize = -24;
/// The offset of the bound from the phase, in bytes, as in the header.
pub(crate) const BOUND: isize = -32;
/// The difference between the way and the offset of `rseq_cs`, as in the header.
pub(crate) const BIAS: isize = 1 << 30;
/// The distance between the counters of two CPUs, as in the header.
pub(crate) const SHIFT: u32 = 16;

/// `struct urcu_percpu_inline_`.
#[repr(C)]
pub(crate) struct Inline {
    size: usize,
    /// The *way* that a section takes: the offset of `rseq_cs` from the thread pointer plus [`BIAS`], or 0 for a call
    /// of the functions.
    way: AtomicIsize,
    /// The address of the phase.
    phase: AtomicPtr<usize>,
    /// The offset of the nesting words from the thread pointer.
    nesting: AtomicIsize,
}

impl Inline {
    const fn none() -> Self {
        Inline {
            size: size_of::<Inline>(),
            way: AtomicIsize::new(0),
            phase: AtomicPtr::new(core::ptr::null_mut()),
            nesting: AtomicIsize::new(0),
        }
    }

    fn set(&self, way: isize, words: &SectionWords, pointer: usize) {
        let distance = (&raw const *nesting()).addr().wrapping_sub(pointer) as isize;
        self.nesting.store(distance, Relaxed);
        self.phase.store(words.phase.cast_mut(), Relaxed);
        // Release: a thread that finds the way finds the other words too.
        self.way.store(way, Release);
    }
}

/// The addresses of the way and of the phase.
pub(crate) const WAY_AT: usize = offset_of!(Inline, way);
#[cfg(target_arch = "x86_64")]
pub(crate) const PHASE_AT: usize = offset_of!(Inline, phase);

/// The words for [`fast`](crate::fast). They are not set where increments are not the best way to count, nor in builds
/// that record where sections begin.
pub(crate) static FAST: Inline = Inline::none();

/// Returns where the words lie, and the way, if sequences in assembly may be used.
fn offered() -> Option<(SectionWords, isize)> {
    if cfg!(rseq_ops_portable) || cfg!(rseq_ops_delay_injection) {
        return None;
    }
    // This sets the domain up.
    drop(urcu::read_lock());
    let words = urcu::global().section_words();
    let phase = words.phase.addr() as isize;
    let is_as_said = words.way.addr() as isize - phase == WAY
        && words.bound.addr() as isize - phase == BOUND
        && SectionWords::BIAS == BIAS
        && SectionWords::SHIFT == SHIFT;
    // SAFETY: an atomic word of a domain that is never dropped.
    let way = unsafe { AtomicIsize::from_ptr(words.way.cast_mut()) }.load(Relaxed);
    (is_as_said && way != 0).then_some((words, way))
}

/// Lets this library's functions use their sequences in assembly.
pub(crate) fn set_up() {
    if let Some((words, way)) = offered()
        && let Some(pointer) = thread_pointer()
        && way > 0
        && !TRACED
    {
        FAST.set(way, &words, pointer);
    }
}

/// Lets a program use its own sequences. Returns 1 if it may use them, else 0. They increment on all processors: even
/// where guesses are faster than increments, an inlined increment is faster than a call.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_inline_offer_(inline: &Inline) -> c_int {
    if inline.size == size_of::<Inline>()
        && let Some((words, way)) = offered()
        && let Some(pointer) = thread_pointer()
    {
        inline.set(way.abs(), &words, pointer);
        return 1;
    }
    0
}

/// Returns the thread pointer, or `None` on processors for which the header has no sequences.
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
    #[cfg(target_arch = "aarch64")]
    {
        let pointer;
        // SAFETY: reads the register that holds the thread pointer.
        unsafe {
            core::arch::asm!(
                "mrs {pointer}, tpidr_el0",
                pointer = out(reg) pointer,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        Some(pointer)
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}
