//! The sequences that find their word by a stride.

use core::num::NonZeroUsize;

use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;

/// Loads a pointer from `source` and adds 1 to this CPU's word relative to the pointer. Returns the pointer
/// and the word's new value, or `None` if the attempt was aborted or the pointer is null.
///
/// The load and the addition are one sequence. So a thread that changes `source` and then calls
/// [`crate::membarrier::restart`] knows that no addition through the old pointer happens any more.
///
/// This is fastest where the word is 0, because the sequence guesses that it is. With any other value it
/// takes as long as a plain increment.
///
/// # Safety
/// * `handle` is this thread's or this process's, or [`Handle::unregistered`].
/// * No signal handler **registers** this thread in the middle of the sequence: the sequence would then
///   commit unprotected. Where this crate registers threads ([`crate::Owner::Own`]), it is enough that
///   [`crate::current_thread`] was called on this thread before. Where libc registers threads, no handler
///   may call `rseq(2)` itself.
/// * `source` is valid for reads and holds null or a pointer `p` such that for every index below the
///   handle's bound, `p + (index << SHIFT)` is the address of an aligned 8-byte word. Only such sequences
///   write the word; anybody may load it atomically.
/// * What a replaced pointer pointed to stays valid until [`crate::membarrier::restart`] has returned.
///
/// # Cost
/// Three loads, a comparison, an addition and two stores, none of them atomic; no call.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use rseq_ops::{current_thread, membarrier, ops, percpu::Area};
///
/// // Two sets of words; `source` says which one is in use.
/// let sets = [Area::new(0, 1 << 7).unwrap(), Area::new(0, 1 << 7).unwrap()];
/// let [first, second] = sets.each_ref().map(|area| area.base().expose_provenance().get());
/// let source = AtomicUsize::new(first);
/// if let Some(handle) = current_thread() {
///     // SAFETY: this thread's handle; the areas have this stride, and sequences alone write there.
///     let added = ops::retry(|| unsafe { ops::add_through::<7>(handle, source.as_ptr()) });
///     if let Some((set, value)) = added {
///         assert_eq!((set.get(), value), (first, 1));
///     }
///     if membarrier::register().is_ok() {
///         source.store(second, Ordering::Release);
///         membarrier::restart().unwrap();
///         // From here on nothing is added to the first set.
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn add_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> Option<(NonZeroUsize, u64)> {
    // SAFETY: the caller promises all that the sequence needs: the handle, a readable `source`, and a
    // word for each index below the bound behind the pointer.
    let (pointer, value) = unsafe { arch::add_through::<SHIFT>(handle, source) };
    Some((NonZeroUsize::new(pointer)?, value))
}

/// Subtracts 1 from this CPU's word relative to `expected`, if `source` holds `expected`.
///
/// This is fastest where the word is `guess`, for which the value that [`add_through`] returned is a good
/// choice. A wrong guess costs time, but the result is the same.
///
/// # Safety
/// The requirements of [`add_through`], with `expected` in the place of the pointer there.
///
/// # Cost
/// The same as [`add_through`].
///
/// ```
/// use std::sync::atomic::AtomicUsize;
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::Area};
///
/// let area = Area::new(0, 1 << 7).unwrap();
/// let source = AtomicUsize::new(area.base().expose_provenance().get());
/// if let Some(handle) = current_thread() {
///     // SAFETY: this thread's handle; the area has this stride, and sequences alone write there.
///     unsafe {
///         if let Some((area, value)) = ops::add_through::<7>(handle, source.as_ptr()) {
///             // What was added on one CPU may be subtracted on another: the sum counts.
///             let outcome = ops::retry(|| {
///                 ops::sub_if_current::<7>(handle, source.as_ptr(), area.get(), value)
///             });
///             assert_ne!(outcome, Outcome::Mismatch); // `source` is still the same.
///         }
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn sub_if_current<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    expected: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: the caller promises the handle, a readable `source`, and a word for each index behind
    // `expected` while `source` holds that.
    unsafe { arch::sub_if_current::<SHIFT>(handle, source, expected, guess) }
}

/// Adds 1 as [`add_through`] does. On x86-64 the addition is a single instruction. Returns the pointer and
/// the bound.
///
/// The parts of the handle come from where they cost least. `biased` is [`Handle::cs`] with `BIAS` added, so
/// that a caller can keep it positive and use its sign. The bound is the word `BOUND` bytes from `source`.
///
/// This is faster than [`add_through`] on processors that rename memory, and slower on others: see
/// [`renames_memory`](crate::cpu::renames_memory).
///
/// # Safety
/// The requirements of [`add_through`]. The word at `BOUND` is a bound like that of a [`Handle`]. Whenever
/// it is not 0, `source` holds a pointer. So the pointer is stored before the bound, and whatever takes the
/// pointer away takes the bound away too and interrupts this thread (as a fork does where the memory is
/// wiped).
///
/// # Cost
/// Four loads, a comparison and two stores, none of them atomic; no call.
#[inline(always)]
pub unsafe fn increment_through<const SHIFT: u32, const BIAS: i32, const BOUND: i32>(
    biased: isize,
    source: *const usize,
) -> Option<(NonZeroUsize, u32)> {
    // SAFETY: the caller promises what `add_through` asks for, and a bound that is 0 where `source` holds
    // no pointer.
    let (pointer, bound) = unsafe { arch::increment_through::<SHIFT, BIAS, BOUND>(biased, source) };
    Some((NonZeroUsize::new(pointer)?, bound))
}

/// Subtracts 1 if `source` holds `expected`, as [`sub_if_current`] does. On x86-64 the subtraction is a
/// single instruction. `biased` is the same as for [`increment_through`], and `bound` is what that returned.
///
/// # Safety
/// The requirements of [`sub_if_current`].
///
/// # Cost
/// The same as [`increment_through`].
///
/// ```
/// use std::sync::atomic::{AtomicU32, AtomicUsize};
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::Area};
///
/// #[repr(C)]
/// struct Words { source: AtomicUsize, bound: AtomicU32 }
///
/// let area = Area::new(0, 1 << 7).unwrap();
/// let first = area.base().expose_provenance().get();
/// if let Some(handle) = current_thread() {
///     let words = Words { source: AtomicUsize::new(first), bound: AtomicU32::new(handle.bound) };
///     // SAFETY: this thread's handle; the area has this stride, and sequences alone write there; the
///     // bound lies 8 bytes from the source, which holds a pointer.
///     unsafe {
///         let source = words.source.as_ptr();
///         let added = ops::retry(|| ops::increment_through::<7, 64, 8>(handle.cs + 64, source));
///         if let Some((area, bound)) = added {
///             assert_eq!(bound, handle.bound);
///             let outcome = ops::retry(|| {
///                 ops::decrement_if_current::<7, 64>(handle.cs + 64, bound, source, area.get())
///             });
///             assert_ne!(outcome, Outcome::Mismatch); // `source` is still the same.
///         }
///     }
///     # drop(words.bound);
/// }
/// ```
#[inline(always)]
pub unsafe fn decrement_if_current<const SHIFT: u32, const BIAS: i32>(
    biased: isize,
    bound: u32,
    source: *const usize,
    expected: usize,
) -> Outcome {
    // SAFETY: the caller promises what `sub_if_current` asks for, and the parts of such a handle.
    unsafe { arch::decrement_if_current::<SHIFT, BIAS>(biased, bound, source, expected) }
}

/// Adds `delta` to this CPU's word relative to `base`.
///
/// # Safety
/// The requirements of [`add_through`], with `base` in the place of the pointer there.
///
/// # Cost
/// Two loads, a store, and an addition to memory without the `lock` prefix.
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::Area};
///
/// let area = Area::new(0, 1 << 7).unwrap();
/// let base = area.base().expose_provenance().get();
/// // For additions that no sequence makes. It must be another word.
/// let shared = AtomicI64::new(0);
/// let count = |delta| {
///     let added = current_thread().is_some_and(|handle| {
///         // SAFETY: this thread's handle; the area has this stride, and sequences alone write there.
///         let outcome = ops::retry(|| unsafe { ops::add::<7>(handle, base, delta) });
///         outcome == Outcome::Committed
///     });
///     if !added {
///         shared.fetch_add(delta, Ordering::Relaxed);
///     }
/// };
/// (0..100).for_each(count);
/// let words = (0..area.cpus()).map(|cpu| {
///     let word = std::ptr::with_exposed_provenance::<AtomicI64>(base + (cpu << 7));
///     // SAFETY: a word of the area.
///     unsafe { &*word }.load(Ordering::Relaxed)
/// });
/// assert_eq!(words.sum::<i64>() + shared.into_inner(), 4950);
/// ```
#[inline(always)]
pub unsafe fn add<const SHIFT: u32>(handle: Handle, base: usize, delta: i64) -> Outcome {
    // SAFETY: the caller promises the handle, and a word for each index below the bound behind
    // `base`.
    unsafe { arch::add::<SHIFT>(handle, base, delta) }
}
