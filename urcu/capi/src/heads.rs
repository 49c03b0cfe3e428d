//! `struct rcu_head`.

use core::ffi::c_void;

use urcu::Domain;
use urcu::raw::RcuHead;

// The layout is that of liburcu: a link and a function.
const _: () = assert!(size_of::<RcuHead>() == 2 * size_of::<*const ()>());
const _: () = assert!(align_of::<RcuHead>() == align_of::<*const ()>());

/// The function that is called with a head after a grace period.
pub(crate) type HeadFunction = unsafe extern "C" fn(*mut RcuHead);

/// The function that is called with a pointer after a grace period.
pub(crate) type PointerFunction = unsafe extern "C" fn(*mut c_void);

/// The number of bytes that a callback of C counts in a domain's budget, because the size of its object is unknown.
pub(crate) const BYTES: usize = 64;

/// Has `function(head)` called after a grace period.
///
/// # Safety
/// `head` is alive, and nobody else uses it, until `function` is called. `function` may be called with `head` on any
/// thread.
pub(crate) unsafe fn call(domain: &Domain, head: *mut RcuHead, function: HeadFunction) {
    // SAFETY: the requirements of the called function are those of this one, which the caller meets.
    unsafe { domain.call_head(head, function, BYTES) };
}

/// Has `function(data)` called after a grace period.
///
/// # Safety
/// `function` may be called with `data` on any thread.
pub(crate) unsafe fn defer(domain: &Domain, function: PointerFunction, data: *mut c_void) {
    // SAFETY: the requirements of the called function are those of this one, which the caller meets. The closure
    // borrows nothing.
    unsafe { domain.retire_fn(move || function(data), BYTES) };
}
