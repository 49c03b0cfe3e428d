//! `struct rcu_head`.

use core::ffi::c_void;

use urcu::Domain;
use urcu::raw::RcuHead;

// As liburcu's: a link and a function.
const _: () = assert!(size_of::<RcuHead>() == 2 * size_of::<*const ()>());
const _: () = assert!(align_of::<RcuHead>() == align_of::<*const ()>());

/// The function that is called with a head after a grace period.
pub(crate) type HeadFunction = unsafe extern "C" fn(*mut RcuHead);

/// The function that is called with a pointer after a grace period.
pub(crate) type PointerFunction = unsafe extern "C" fn(*mut c_void);

/// The bytes that a callback of C counts in a domain's budget, since its object's size is unknown.
pub(crate) const BYTES: usize = 64;

/// Has `function(head)` called after a grace period.
///
/// # Safety
/// `head` is alive, and nobody else's, until `function` is called, which may be called with it on any
/// thread.
pub(crate) unsafe fn call(domain: &Domain, head: *mut RcuHead, function: HeadFunction) {
    // SAFETY: what is asked for there is asked for here.
    unsafe { domain.call_head(head, function, BYTES) };
}

/// Has `function(data)` called after a grace period.
///
/// # Safety
/// `function` may be called with `data` on any thread.
pub(crate) unsafe fn defer(domain: &Domain, function: PointerFunction, data: *mut c_void) {
    // SAFETY: what is asked for there is asked for here; it borrows nothing.
    unsafe { domain.retire_fn(move || function(data), BYTES) };
}
