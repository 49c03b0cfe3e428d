//! Errors as C is told of them.

use core::ffi::c_int;

/// Sets the calling thread's `errno`.
pub(crate) fn set_errno(error: c_int) {
    // SAFETY: this thread's.
    unsafe { *libc::__errno_location() = error };
}
