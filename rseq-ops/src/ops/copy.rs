//! Copies that are read-side sections.

use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;

/// The largest copy that [`copy_through`] is meant for, in bytes. A longer one would be interrupted so
/// often that it might never end.
///
/// ```
/// let record = [0u8; 200];
/// assert!(record.len() <= rseq_ops::ops::COPY_MAX);
/// ```
pub const COPY_MAX: usize = 1024;

/// Copies `size` bytes to `target` from where the pointer in `source` points, in one sequence.
///
/// This is a read-side section without a counter: a thread that has replaced the pointer may free the old
/// value as soon as [`crate::membarrier::restart`] has returned.
///
/// `size` should be a constant. Sizes of 1, 2 and 4 bytes, and multiples of 8 up to 64, are copied by plain
/// moves. Other sizes take some ten nanoseconds more. After [`Outcome::Aborted`] the contents of `target`
/// are unspecified.
///
/// # Safety
/// * `handle` is this thread's or this process's. Its bound is not looked at, because there is no index to
///   compare with it, so [`Handle::unregistered`] does not make the attempt abort.
/// * `source` is valid for reads. The pointer in it leads to `size` bytes that stay valid and unchanged
///   until the pointer has been replaced and [`crate::membarrier::restart`] has returned.
/// * `target` is valid for writes of `size` bytes, and nobody else reads or writes there.
///
/// # Cost
/// For a `size` of 8: four loads, one of them to test the sign of the CPU number, and two stores.
///
/// ```
/// use std::ptr::null_mut;
/// use std::sync::atomic::{AtomicPtr, Ordering};
/// use rseq_ops::{current_thread, membarrier, ops::{self, Outcome}};
///
/// let current = AtomicPtr::new(Box::into_raw(Box::new([1u64, 2, 3])));
/// if let Some(handle) = current_thread()
///     && membarrier::register().is_ok()
/// {
///     let mut copy = [0u64; 3];
///     // SAFETY: this thread's handle; what `current` points to is freed only after a restart.
///     let outcome = ops::retry(|| unsafe {
///         let source = current.as_ptr().cast::<*const u8>();
///         ops::copy_through(handle, source, copy.as_mut_ptr().cast(), size_of_val(&copy))
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(copy, [1, 2, 3]);
///     }
///     // A writer, on any thread, replaces the value and frees the old one:
///     let old = current.swap(Box::into_raw(Box::new([4, 5, 6])), Ordering::AcqRel);
///     membarrier::restart().unwrap();
///     // SAFETY: no copy of the old value is in flight any more.
///     drop(unsafe { Box::from_raw(old) });
/// }
/// # // SAFETY: nobody else is left.
/// # drop(unsafe { Box::from_raw(current.swap(null_mut(), Ordering::AcqRel)) });
/// ```
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
    // SAFETY: the caller promises the handle, `size` bytes behind the pointer in `source` that stay valid
    // until a restart, and room for them in `target`.
    unsafe { arch::copy_through(handle, source, target, size) }
}

/// Copies a part of a larger value to `target`: the `size` bytes that begin `offset` bytes behind where the
/// pointer in `source` points. Otherwise like [`copy_through`].
///
/// # Safety
/// The requirements of [`copy_through`]. The `size` bytes that must stay valid and unchanged are those at
/// the offset.
///
/// # Cost
/// One addition more than [`copy_through`]. An offset that is not a constant takes a register.
///
/// ```
/// use std::sync::atomic::AtomicPtr;
/// use rseq_ops::{current_thread, membarrier, ops::{self, Outcome}};
///
/// let mut record = [1u64, 2, 3];
/// let current = AtomicPtr::new(&raw mut record);
/// if let Some(handle) = current_thread()
///     && membarrier::register().is_ok()
/// {
///     let mut last = 0u64;
///     // SAFETY: this thread's handle; the record does not change, and its third number is 16 bytes in.
///     let outcome = ops::retry(|| unsafe {
///         let source = current.as_ptr().cast::<*const u8>();
///         ops::copy_part_through(handle, source, 16, (&raw mut last).cast(), 8)
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(last, 3);
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn copy_part_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    if size == 0 {
        return Outcome::Committed;
    }
    // SAFETY: the caller promises the handle, `size` bytes at the offset behind the pointer in `source` that
    // stay valid until a restart, and room for them in `target`.
    unsafe { arch::copy_part_through(handle, source, offset, target, size) }
}

/// Follows a second pointer, and copies a part of what it points to. The second pointer lies `offset` bytes
/// behind where the pointer in `source` points. The `size` bytes that begin `behind` bytes behind its target
/// are copied to `target`. All of this is one sequence, otherwise like [`copy_through`].
///
/// # Safety
/// The requirements of [`copy_through`]. Both the second pointer and the `size` bytes to copy must stay valid
/// and unchanged, and both were in place before the pointer in `source` was published.
///
/// # Cost
/// One load more than [`copy_part_through`]. It depends on the first load.
///
/// ```
/// use std::sync::atomic::AtomicPtr;
/// use rseq_ops::{current_thread, membarrier, ops::{self, Outcome}};
///
/// let inner = [10u64, 20, 30];
/// let mut record = [std::ptr::null(), inner.as_ptr()];
/// let current = AtomicPtr::new(&raw mut record);
/// if let Some(handle) = current_thread()
///     && membarrier::register().is_ok()
/// {
///     let mut last = 0u64;
///     // SAFETY: this thread's handle; neither array changes. The record's second word points to `inner`,
///     // whose third number is 16 bytes in.
///     let outcome = ops::retry(|| unsafe {
///         let source = current.as_ptr().cast::<*const u8>();
///         ops::copy_behind_through(handle, source, 8, 16, (&raw mut last).cast(), 8)
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(last, 30);
///     }
/// }
/// ```
#[inline(always)]
pub unsafe fn copy_behind_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    behind: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    if size == 0 {
        return Outcome::Committed;
    }
    // SAFETY: the caller promises the handle, a pointer at the offset and `size` bytes behind it that stay
    // valid until a restart, and room for them in `target`.
    unsafe { arch::copy_behind_through(handle, source, offset, behind, target, size) }
}
