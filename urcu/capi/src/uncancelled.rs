//! Makes sure that no call of this library is a cancellation point.
//!
//! `pthread_cancel` unwinds the thread's stack from the thread's next cancellation point, which may be any call into
//! libc. It would unwind frames of Rust, which is not allowed. So all functions that may call libc, which are all but
//! those of readers, disable cancellation meanwhile.

use core::ffi::c_int;

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

struct Restore(c_int);

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: restores the state that was set before.
        unsafe { pthread_setcancelstate(self.0, core::ptr::null_mut()) };
    }
}

/// Calls `f` with the thread's cancellation disabled.
#[inline(always)]
pub(crate) fn uncancelled<T>(f: impl FnOnce() -> T) -> T {
    let mut old = 0;
    // SAFETY: a valid state, and a valid pointer for the old one.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut old) };
    let _restore = Restore(old);
    f()
}
