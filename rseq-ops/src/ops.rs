//! The sequences, one attempt each.
//!
//! All of them find the calling CPU's word as `base + (index << SHIFT)`: the index is the
//! concurrency id (`mm_cid`) where the kernel has it, else the CPU number, and `1 << SHIFT` bytes
//! is the stride of the memory ([`crate::percpu::Area`]).
//!
//! On a thread that is not registered the index is negative, and the attempt is aborted.
//!
//! Every operation has acquire loads and a release commit. An attempt is given up when the kernel
//! interrupts it. Callers try again *a bounded number of times*, because a debugger or a signal
//! storm can interrupt for ever, and then take a way that always ends.
//!
//! None takes a lock, allocates or makes a system call: all are async-signal-safe.

use core::num::NonZeroUsize;

use crate::{arch, registration::Handle};

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The commit happened, once, on the CPU whose word it changed.
    Committed,
    /// A compared word was not as expected; nothing was stored.
    Mismatch,
    /// The kernel interrupted; nothing was stored.
    Aborted,
}

/// Loads a pointer from `source`, adds 1 to this CPU's word relative to it, and returns the
/// pointer and the word's new value; `None` for an abort.
///
/// The load and the addition are one sequence. So a thread that changes `source` and then calls
/// [`crate::membarrier::restart`] knows that no addition through the old pointer happens any more.
///
/// Fastest where the word is 0 (the value is guessed; any other value is right too, and takes as
/// long as a plain increment).
///
/// # Safety
/// * `handle` is this process's and **the calling thread is registered**: either libc registers
///   all, or [`crate::current_thread`] has answered on this thread; or `handle` is inert. On a
///   thread without a registration the attempt is aborted, unless a signal handler registers the
///   thread in the middle of it: it would commit unprotected then.
/// * `source` is valid for reads and holds a pointer `p`, not null, such that for every index
///   that this process can have, `p + (index << SHIFT)` is an aligned 8-byte word that is written
///   by such sequences alone, atomic loads aside.
/// * What a replaced pointer pointed to stays valid until [`crate::membarrier::restart`].
#[inline(always)]
pub unsafe fn add_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> Option<(NonZeroUsize, u64)> {
    // SAFETY: the same conditions.
    let (pointer, value) = unsafe { arch::add_through::<SHIFT>(handle, source) };
    Some((NonZeroUsize::new(pointer)?, value))
}

/// If `source` holds `expected`, subtracts 1 from this CPU's word relative to it.
///
/// Fastest where the word is `guess`, which may be anything: what [`add_through`] returned, say.
///
/// # Safety
/// As for [`add_through`], with `expected` in the place of the pointer there.
#[inline(always)]
pub unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: the same conditions.
    unsafe { arch::sub_if_current::<SHIFT>(handle, source, expected, guess) }
}

/// Adds `delta` to this CPU's word relative to `base`.
///
/// # Safety
/// As for [`add_through`], with `base` in the place of the pointer there.
#[inline(always)]
pub unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: the same conditions.
    unsafe { arch::add::<SHIFT>(handle, base, delta) }
}

/// The largest copy that [`copy_through`] is meant for. Bytes. A longer one would be interrupted
/// too often to end.
pub const COPY_MAX: usize = 1024;

/// Loads a pointer from `source` and copies `size` bytes from there to `target`, in one sequence:
/// a read-side section without a counter. A thread that replaced the pointer may free what it
/// pointed to as soon as [`crate::membarrier::restart`] has returned.
///
/// `size` should be a constant. Sizes of 1, 2, 4 and multiples of 8 up to 64 bytes are straight
/// moves, others a string instruction (some ten nanoseconds more). After [`Outcome::Aborted`] the
/// contents of `target` are unspecified.
///
/// # Safety
/// * `handle`: as for [`add_through`], but not inert: there is no index to look at.
/// * `source` is valid for reads and points to `size` bytes that stay valid and unchanged until
///   the pointer was replaced and [`crate::membarrier::restart`] has returned.
/// * `target` is valid for writes of `size` bytes, and nobody else reads or writes there.
#[inline(always)]
pub unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    if size == 0 {
        return Outcome::Committed;
    }
    // SAFETY: the same conditions.
    unsafe { arch::copy_through(handle, source, target, size) }
}
