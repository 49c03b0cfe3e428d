//! Stands for `urcu/collections/src/reclaim.rs`: what is freed is dropped, which loom's atomics and
//! `Alive` notice, and its memory is given back when the next emulated kernel is booted. So who uses it
//! afterwards is noticed, and nothing worse.

use std::ptr::NonNull;

use crate::domain::Domain;
use crate::kernel::keep;

/// # Safety
/// As shipped.
pub(crate) unsafe fn retire<T>(domain: &Domain, pointer: NonNull<T>) {
    // SAFETY: as shipped: a box that nobody finds any more.
    unsafe { retire_with(domain, pointer, end, size_of::<T>()) };
}

/// # Safety
/// As shipped.
pub(crate) unsafe fn retire_memory<T>(domain: &Domain, pointer: NonNull<T>) {
    // SAFETY: as shipped. What has a destructor is in `ManuallyDrop` there.
    unsafe { retire_with(domain, pointer, end, size_of::<T>()) };
}

/// # Safety
/// As shipped.
pub(crate) unsafe fn free_memory<T>(pointer: NonNull<T>) {
    // SAFETY: as shipped.
    unsafe { end(pointer.as_ptr()) };
}

/// # Safety
/// As shipped.
pub(crate) unsafe fn retire_with<T>(
    domain: &Domain,
    pointer: NonNull<T>,
    free: unsafe fn(*mut T),
    bytes: usize,
) {
    // SAFETY: as shipped.
    unsafe { domain.retire_with(pointer.as_ptr(), free, bytes) };
}

/// # Safety
/// It was allocated with its type's layout, and nobody uses it any more.
pub(crate) unsafe fn end<T>(pointer: *mut T) {
    // SAFETY: it is whole, and nobody uses it any more, as the caller promises; `keep` takes what `alloc` gave.
    unsafe {
        pointer.drop_in_place();
        keep(pointer);
    }
}

/// As shipped.
pub(crate) fn next_grace_period(domain: &Domain) -> u64 {
    domain.next_grace_period_number()
}

/// As shipped.
pub(crate) fn last_grace_period(domain: &Domain) -> Option<u64> {
    domain.known_grace_period_number()
}

/// As shipped.
pub(crate) fn prepare(domain: &Domain) {
    domain.last_grace_period_number();
}
