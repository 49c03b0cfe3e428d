//! What happens to what was unlinked: the one place that knows how.
//!
//! Destructors of the user's run as callbacks do, never on the thread that removed the value: it may hold
//! locks that they take. Where there is none, memory is freed wherever that is cheapest.

use core::alloc::Layout;
use core::mem::needs_drop;
use core::ptr::NonNull;
use std::alloc::dealloc;

use urcu::Domain;

/// An address, without its type: so that types that are not `'static` can be named where it is made.
struct Unlinked(NonNull<()>);

// SAFETY: says nothing about what is there: `retire` demands that any thread may free it.
unsafe impl Send for Unlinked {}

/// Drops a box after a grace period.
///
/// # Safety
/// * `pointer` is from a box, and nobody can find it any more but who began to look inside a section of the
///   domain that is open already.
/// * `T` may be dropped on any thread and at any later time.
#[inline]
pub(crate) unsafe fn retire<T>(domain: &Domain, pointer: NonNull<T>) {
    if !needs_drop::<T>() {
        // SAFETY: from a box; nothing is lost if it is only freed; and nobody finds it.
        unsafe { retire_memory(domain, pointer) };
        return;
    }
    let unlinked = Unlinked(pointer.cast());
    let free: unsafe fn(NonNull<()>) = free_box::<T>;
    domain.call(move || {
        let unlinked = unlinked;
        // SAFETY: once, and after a grace period that began after it was unlinked.
        unsafe { free(unlinked.0) };
    });
}

/// Frees the memory of a value after a grace period, without dropping it.
///
/// # Safety
/// The memory was allocated with the type's layout, and nobody can find it any more but who began to look
/// inside a section of the domain that is open already.
#[inline]
pub(crate) unsafe fn retire_memory<T>(domain: &Domain, pointer: NonNull<T>) {
    // SAFETY: the same conditions.
    unsafe { domain.retire_layout(pointer.as_ptr().cast(), Layout::new::<T>()) };
}

/// Frees the memory of a value at once, without dropping it.
///
/// # Safety
/// The memory was allocated with the type's layout, whose size is not zero, and nobody uses it any more.
pub(crate) unsafe fn free_memory<T>(pointer: NonNull<T>) {
    // SAFETY: the same conditions.
    unsafe { dealloc(pointer.as_ptr().cast(), Layout::new::<T>()) };
}

/// # Safety
/// The address is of a box of this type, which nobody uses any more.
unsafe fn free_box<T>(address: NonNull<()>) {
    // SAFETY: just so.
    drop(unsafe { Box::from_raw(address.cast::<T>().as_ptr()) });
}

/// Frees by a function, which runs nothing of the user's but the allocator, after a grace period.
///
/// # Safety
/// * Nobody can find `pointer` any more but who began to look inside a section of the domain that is open
///   already.
/// * `free` may be called with it on any thread and at any later time.
pub(crate) unsafe fn retire_with<T>(
    domain: &Domain,
    pointer: NonNull<T>,
    free: unsafe fn(*mut T),
    bytes: usize,
) {
    // SAFETY: the same conditions.
    unsafe { domain.retire_with(pointer.as_ptr(), free, bytes) };
}

/// Returns the number of the grace period after which what was unlinked before the call is of no interest to
/// anybody any more.
pub(crate) fn next_grace_period(domain: &Domain) -> u64 {
    domain.next_grace_period_number()
}

/// Returns the number of the last grace period that is over. `None`: not before [`prepare`].
#[inline]
pub(crate) fn last_grace_period(domain: &Domain) -> Option<u64> {
    domain.known_grace_period_number()
}

/// Sees to it that grace periods have numbers in this process, which allocates: not under a lock.
pub(crate) fn prepare(domain: &Domain) {
    domain.last_grace_period_number();
}
