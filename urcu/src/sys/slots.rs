//! Each CPU's slot of a domain: its counters, and the end of its chunk of callbacks.

use rseq_ops::percpu::{self, PerCpu, Zeroed};

use super::memory::{allocate, free};
use super::mode::{Mode, mode};
use super::phase::Phase;
use crate::sync::{AtomicI64, AtomicU32, AtomicUsize};
#[cfg(target_pointer_width = "64")]
use core::mem::offset_of;

/// Bytes from one CPU's slot to the next, as a power of two. Slots of many domains share pages, and
/// every CPU has pages of its own.
pub(crate) const SHIFT: u32 = PerCpu::<Slot>::SHIFT;

/// One CPU's counters of one domain: a cache line. The two phases lie 8 bytes apart.
#[repr(C, align(64))]
pub(super) struct Slot {
    /// Written by restartable sequences on this CPU with plain stores.
    net: [AtomicI64; 2],
    /// Written by anybody with atomic read-modify-writes. Never the same word as the above: an
    /// atomic addition and a plain one on one word lose updates.
    shared: [AtomicI64; 2],
    /// The end of the chunk that callbacks are appended to, or 0. Written by restartable sequences
    /// on this CPU while the phase is the current one.
    pub(super) buffer: [AtomicUsize; 2],
    /// In the first slot: whom to wake when a section of the old phase ends (`readers`).
    waiter: AtomicU32,
}

// SAFETY: atomic integers may be 0.
unsafe impl Zeroed for Slot {}

/// The places of the words that sections store in, from the start of a slot: of the two phases each.
#[cfg(target_pointer_width = "64")]
pub(crate) const STORES: [usize; 2] = [offset_of!(Slot, net), offset_of!(Slot, buffer)];

/// Allocates a domain's slots, all zeroes, and returns their first phase. Async-signal-safe.
pub(crate) fn allocate_slots() -> Phase {
    let base = allocate::<Slot>().expose_provenance();
    // SAFETY: the address of `slots()` slots, which live until `free_slots`, whose caller promises that
    // nobody uses the phase any more.
    unsafe { Phase::of_word(base) }.expect("an address")
}

/// Gives the memory back.
///
/// # Safety
/// They are from [`allocate_slots`], and nobody uses them or a phase of them any more.
pub(crate) unsafe fn free_slots(phase: Phase) {
    // SAFETY: the memory is from `allocate_slots`, and nobody uses it any more: the caller promises both.
    unsafe { free(core::ptr::with_exposed_provenance_mut::<Slot>(phase.base())) };
}

/// Returns how many slots a domain has.
pub(crate) fn slots() -> usize {
    percpu::possible_cpus()
}

fn slot(phase: Phase, index: usize) -> &'static Slot {
    debug_assert!(index < slots());
    let address = phase.base() + (index << SHIFT);
    // SAFETY: whoever made the phase promised that it is of slots from `allocate_slots`, of which there are
    // `slots()` with this stride, and that they live while it is used; the callers do not keep the
    // reference for longer.
    unsafe { &*core::ptr::with_exposed_provenance::<Slot>(address) }
}

/// Returns the counter of slot `index` that sequences write, for a phase.
pub(crate) fn net(phase: Phase, index: usize) -> &'static AtomicI64 {
    #[cfg(rseq_ops_delay_injection)]
    if crate::testing::skips(index) {
        return &crate::testing::NOTHING;
    }
    &slot(phase, index).net[usize::from(phase.is_second())]
}

/// Returns the counter of slot `index` that anybody writes atomically, for a phase.
pub(crate) fn shared(phase: Phase, index: usize) -> &'static AtomicI64 {
    &slot(phase, index).shared[usize::from(phase.is_second())]
}

/// Returns the end of the chunk of callbacks in slot `index`, for a phase.
pub(crate) fn buffer(phase: Phase, index: usize) -> &'static AtomicUsize {
    &slot(phase, index).buffer[usize::from(phase.is_second())]
}

/// Returns the word that tells whom to wake when a section of the old phase ends. It lies beside the
/// counters, of which a child has others: a thread of the child that is still in the middle of its parent's
/// grace period stores in memory that the child's readers do not look at.
pub(crate) fn waiter(phase: Phase) -> &'static AtomicU32 {
    &slot(phase, 0).waiter
}

/// Returns the number of this CPU's slot, or of any slot where the CPU is not known. The thread may move at
/// any time.
pub(crate) fn cpu() -> usize {
    match mode() {
        Mode::AllThreads(handle) => {
            // SAFETY: the process's handle, where libc registers threads.
            let index = unsafe { handle.current_index() };
            index.map_or_else(stripe, |index| index as usize)
        }
        _ => stripe(),
    }
}

/// Returns a slot for this thread's atomic additions: any will do, threads should differ. The stack's
/// address is to be had everywhere, in signal handlers and destructors too.
pub(crate) fn stripe() -> usize {
    let here = 0u8;
    let hash = ((&raw const here).addr() as u64 >> 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ((hash * slots() as u64) >> 32) as usize
}
