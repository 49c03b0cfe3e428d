//! The foundation of this module's structures: atomics, sequences, barriers, and the way to the calling
//! CPU's part. The models in `loom-tests` put an emulated kernel in the place of this file, for `banks`,
//! `lock` and `stack`.

pub(super) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use super::alloc::SHIFT;
pub(super) use crate::arch::ABORTED;
pub(super) use crate::handle::Handle;
use crate::membarrier;
pub(super) use crate::membarrier::{MembarrierError, restart};
use crate::ops;
pub(super) use crate::outcome::Outcome;
use crate::possible_cpus::possible_cpus;
use crate::registration::{self, Owner, current_thread, process};

/// A `const fn` here, but not in the models: Loom's atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(super) use const_fn;

/// Stands for no handle. The `cs` of a handle is never 0, because the thread pointer itself lies at 0.
pub(super) const NO_HANDLE: Handle = Handle {
    cs: 0,
    bound: 0,
    index: Handle::CPU,
};

/// Returns the handle that all threads of this process have, for all of its life, where libc registers
/// them; else [`NO_HANDLE`].
pub(super) fn shared_handle() -> Handle {
    registration::handle().unwrap_or(NO_HANDLE)
}

/// Runs `attempt` with the calling thread's handle until it returns a value, a bounded number of times.
pub(super) fn try_sequence<T>(mut attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
    let handle = current_thread()?;
    ops::retry(|| attempt(handle))
}

/// Returns a number below `count` that mostly differs between threads. It comes from the stack's address,
/// which is at hand everywhere, in signal handlers and destructors too.
pub(super) fn stripe(count: usize) -> usize {
    let here = 0u8;
    let hash = ((&raw const here).addr() as u64 >> 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ((hash * count as u64) >> 32) as usize
}

/// Returns the calling thread's index at this moment, or a stripe.
pub(super) fn index_hint() -> usize {
    let count = possible_cpus();
    let index = current_thread().and_then(|handle| {
        // SAFETY: this thread's handle.
        unsafe { handle.current_index() }
    });
    index.map_or_else(|| stripe(count), |index| index as usize)
}

/// Returns whether the process can restart its sequences. The first call registers the process for that.
pub(super) fn can_restart() -> bool {
    const YES: u32 = 1;
    const NO: u32 = 2;
    static DECIDED: AtomicU32 = AtomicU32::new(0);
    let mut decided = DECIDED.load(Ordering::Acquire);
    if decided == 0 {
        let able = process().owner != Owner::Nobody && membarrier::register().is_ok();
        let found = if able { YES } else { NO };
        // If two first calls disagree, because a filter was installed between them, the first one stays.
        decided = DECIDED
            .compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|first| first, |_| found);
    }
    decided == YES
}

/// Pushes by [`crate::arch::push_through`], on lists in the memory of an allocator. `source` is
/// [`super::banks::Banks::source`].
///
/// # Safety
/// The requirements of [`crate::arch::push_through`].
#[inline(always)]
pub(super) unsafe fn push_through(handle: Handle, source: &AtomicUsize, node: usize) -> Outcome {
    // SAFETY: the caller promises the handle, a bank of lists in an allocator's memory, whose
    // stride is `1 << SHIFT`, and a node of its own.
    unsafe { crate::arch::push_through::<SHIFT>(handle, source.as_ptr(), node) }
}

/// Pops by [`crate::arch::pop_through`], in the same way.
///
/// # Safety
/// The requirements of [`crate::arch::pop_through`].
#[inline(always)]
pub(super) unsafe fn pop_through(handle: Handle, source: &AtomicUsize) -> usize {
    // SAFETY: the caller promises the handle, and a bank of lists in an allocator's memory, whose
    // stride is `1 << SHIFT`, with nodes that stay valid until a restart.
    unsafe { crate::arch::pop_through::<SHIFT>(handle, source.as_ptr()) }
}

/// Takes one turn of a wait for a lock.
pub(super) fn wait_for(_: &AtomicU32) {
    #[cfg(target_os = "linux")]
    // SAFETY: no arguments.
    unsafe {
        libc::sched_yield();
    }
    core::hint::spin_loop();
}
