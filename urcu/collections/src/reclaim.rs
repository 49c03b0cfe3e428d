//! Freeing unlinked memory after a grace period.
//!
//! The user's destructors run as callbacks, never on the thread that removes the value, because it may hold locks
//! that they take. Memory without a destructor is freed wherever that is cheapest.

use core::alloc::Layout;
use core::mem::needs_drop;
use core::ptr::NonNull;
use std::alloc::dealloc;

use urcu::Domain;

/// An address without its type, so that callbacks can be made for types that are not `'static`.
struct Unlinked(NonNull<()>);

// SAFETY: it is only an address, and `retire` requires that any thread may free what is there.
unsafe impl Send for Unlinked {}

/// Drops a box after a grace period.
///
/// # Safety
/// * `pointer` is from a box, and only sections of the domain that are open already can still find it.
/// * `T` may be dropped on any thread and at any later time.
#[inline]
pub(crate) unsafe fn retire<T>(domain: &Domain, pointer: NonNull<T>) {
    if !needs_drop::<T>() {
        // SAFETY: the pointer is from a box, and only sections that are open already still find it. The type needs
        // no drop, so freeing is enough.
        unsafe { retire_memory(domain, pointer) };
        return;
    }
    let unlinked = Unlinked(pointer.cast());
    let free: unsafe fn(NonNull<()>) = free_box::<T>;
    domain.call(move || {
        let unlinked = unlinked;
        // SAFETY: called once, after a grace period that began after the pointer was unlinked.
        unsafe { free(unlinked.0) };
    });
}

/// Frees the memory of a value after a grace period, without dropping it.
///
/// # Safety
/// The memory was allocated with the type's layout, and only sections of the domain that are open already can still
/// find it.
#[inline]
pub(crate) unsafe fn retire_memory<T>(domain: &Domain, pointer: NonNull<T>) {
    // SAFETY: the caller promises the same.
    unsafe { domain.retire_layout(pointer.as_ptr().cast(), Layout::new::<T>()) };
}

/// Frees the memory of a value at once, without dropping it.
///
/// # Safety
/// The memory was allocated with the type's layout, whose size is not zero, and nobody uses it any more.
pub(crate) unsafe fn free_memory<T>(pointer: NonNull<T>) {
    // SAFETY: the caller promises the same.
    unsafe { dealloc(pointer.as_ptr().cast(), Layout::new::<T>()) };
}

/// # Safety
/// The address is from a box of this type, and nobody uses it any more.
unsafe fn free_box<T>(address: NonNull<()>) {
    // SAFETY: the caller promises exactly this.
    drop(unsafe { Box::from_raw(address.cast::<T>().as_ptr()) });
}

/// Frees memory by a function after a grace period. The function must run no user code but the allocator.
///
/// # Safety
/// * Only sections of the domain that are open already can still find `pointer`.
/// * `free` may be called with `pointer` on any thread and at any later time.
pub(crate) unsafe fn retire_with<T>(
    domain: &Domain,
    pointer: NonNull<T>,
    free: unsafe fn(*mut T),
    bytes: usize,
) {
    // SAFETY: the caller promises the same.
    unsafe { domain.retire_with(pointer.as_ptr(), free, bytes) };
}

/// Returns the number of the grace period after which nobody sees any more what was unlinked before this call.
pub(crate) fn next_grace_period(domain: &Domain) -> u64 {
    domain.next_grace_period_number()
}

/// Returns the number of the last grace period that is over. Returns `None` before the first call of [`prepare`].
#[inline]
pub(crate) fn last_grace_period(domain: &Domain) -> Option<u64> {
    domain.known_grace_period_number()
}

/// Makes sure that grace periods have numbers in this process. This allocates, so do not call it under a lock.
#[inline]
pub(crate) fn prepare(domain: &Domain) {
    if last_grace_period(domain).is_none() {
        domain.last_grace_period_number();
    }
}
