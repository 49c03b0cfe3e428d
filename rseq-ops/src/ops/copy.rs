//! The copy that is a read-side section.

use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;

/// The largest copy that [`copy_through`] is meant for. Bytes. A longer one would be interrupted
/// too often to end.
///
/// ```
/// let record = [0u8; 200];
/// assert!(record.len() <= rseq_ops::ops::COPY_MAX);
/// ```
pub const COPY_MAX: usize = 1024;

/// Copies `size` bytes to `target` from where the pointer in `source` points, in one sequence.
///
/// This is a read-side section without a counter: a thread that has replaced the pointer may free what
/// it pointed to as soon as [`crate::membarrier::restart`] has returned.
///
/// `size` should be a constant. Sizes of 1, 2 and 4 bytes, and multiples of 8 up to 64, are straight
/// moves. Others take some ten nanoseconds more. After [`Outcome::Aborted`] the contents of `target` are
/// unspecified.
///
/// # Safety
/// * `handle` is as for [`add_through`](super::add_through). Its bound does not matter, as there is no
///   index to compare: [`Handle::unregistered`] stops nothing here.
/// * `source` is valid for reads and points to `size` bytes that stay valid and unchanged until
///   the pointer was replaced and [`crate::membarrier::restart`] has returned.
/// * `target` is valid for writes of `size` bytes, and nobody else reads or writes there.
///
/// # Cost
/// Four loads, one of them for a test of the sign of the CPU number, and two stores for a
/// `size` of 8.
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
///     // SAFETY: this thread's handle; what `current` points to is freed after a restart alone.
///     let outcome = ops::retry(|| unsafe {
///         let source = current.as_ptr().cast::<*const u8>();
///         ops::copy_through(handle, source, copy.as_mut_ptr().cast(), size_of_val(&copy))
///     });
///     if outcome == Outcome::Committed {
///         assert_eq!(copy, [1, 2, 3]);
///     }
///     // Another thread replaces it, and frees the old one:
///     let old = current.swap(Box::into_raw(Box::new([4, 5, 6])), Ordering::AcqRel);
///     membarrier::restart().unwrap();
///     // SAFETY: no copy from it is in flight any more.
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
    // SAFETY: the caller promises the handle, `size` bytes behind the pointer in `source` that stay
    // until a restart, and room for them in `target`.
    unsafe { arch::copy_through(handle, source, target, size) }
}

/// Copies `size` bytes to `target` from `offset` bytes behind where the pointer in `source` points, in one
/// sequence: a part of a larger value. Else as [`copy_through`].
///
/// # Safety
/// As for [`copy_through`], where it is the `size` bytes at the offset that stay valid and unchanged.
///
/// # Cost
/// One addition more, and an offset that is no constant takes a register.
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
///     // SAFETY: this thread's handle; the record stays as it is; the third number is 16 bytes from its begin.
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
    // stay until a restart, and room for them in `target`.
    unsafe { arch::copy_part_through(handle, source, offset, target, size) }
}

/// Copies `size` bytes to `target` from `behind` bytes behind where a second pointer points, which lies `offset`
/// bytes behind where the pointer in `source` points, in one sequence: a part of what a value owns by one
/// more pointer. Else as [`copy_through`].
///
/// # Safety
/// As for [`copy_through`], where it is the pointer at the offset, and the `size` bytes at `behind` from where that
/// points, that stay valid and unchanged; and both were there before the pointer in `source` was published.
///
/// # Cost
/// One load more than [`copy_part_through`], which waits for the first.
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
///     // SAFETY: this thread's handle; both stay as they are; the record's second word is the pointer, and the
///     // third number is 16 bytes behind it.
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
    // SAFETY: the caller promises the handle, a pointer at the offset and `size` bytes behind it that stay until
    // a restart, and room for them in `target`.
    unsafe { arch::copy_behind_through(handle, source, offset, behind, target, size) }
}
