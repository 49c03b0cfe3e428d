//! The fence that `pin` promises.

/// A sequentially consistent fence.
#[inline(always)]
pub(crate) fn full() {
    if cfg!(feature = "relaxed-pin") {
        return;
    }
    // An or-with-nothing of the top of the stack: what processors do faster than the `mfence` that
    // `fence(SeqCst)` becomes.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the stack's top is there, and a locked instruction leaves it as it was; it orders all
    // loads and stores of ordinary memory before it with all after it, as `fence(SeqCst)` does, and the
    // compiler moves none across, for it is not told that no memory is touched.
    unsafe {
        core::arch::asm!("lock or dword ptr [rsp], 0", options(nostack));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}
