//! Reports errors to C, through `errno`.

use core::ffi::c_int;

/// Sets the calling thread's `errno`.
pub(crate) fn set_errno(error: c_int) {
    // SAFETY: the address is that of this thread's `errno`.
    unsafe { *libc::__errno_location() = error };
}
