//! `errno`, by which C is told of errors.

use core::ffi::c_int;

/// Sets the calling thread's `errno`: not inside of [`uncancelled`](crate::uncancelled), which puts it back.
pub(crate) fn set_errno(error: c_int) {
    // SAFETY: the address is that of this thread's `errno`.
    unsafe { *libc::__errno_location() = error };
}

/// Returns the calling thread's `errno`.
pub(crate) fn errno() -> c_int {
    // SAFETY: the address is that of this thread's `errno`.
    unsafe { *libc::__errno_location() }
}
