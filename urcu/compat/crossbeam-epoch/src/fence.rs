//! The fence that `pin` promises.

use core::cell::Cell;

/// Stores a value, and is a sequentially consistent fence (except with the feature `relaxed-pin`).
#[inline(always)]
pub(crate) fn set_and_fence(cell: &Cell<usize>, value: usize) {
    if cfg!(feature = "relaxed-pin") {
        return cell.set(value);
    }
    // One locked instruction does both. It takes less time than the `mfence` to which `fence(SeqCst)` compiles.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: writes the cell, to which nobody has a reference. A locked instruction orders all loads and stores of
    // ordinary memory before it with all after it, as `fence(SeqCst)` does. The compiler moves no access across it,
    // because the block is not marked as touching no other memory.
    unsafe {
        core::arch::asm!("xchg qword ptr [{}], {}", in(reg) cell.as_ptr(), inout(reg) value => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        cell.set(value);
        core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    }
}
