//! No call here is a cancellation point.
//!
//! `pthread_cancel` unwinds the thread's stack, through frames of Rust that nobody may unwind, from
//! wherever the thread calls into libc next. So calls that may do that, which are all but those of
//! readers, put cancellation off.

use core::ffi::c_int;

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

struct Restore(c_int);

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: the state that was there before.
        unsafe { pthread_setcancelstate(self.0, core::ptr::null_mut()) };
    }
}

/// Calls `f` with the thread's cancellation put off.
#[inline(always)]
pub(crate) fn uncancelled<T>(f: impl FnOnce() -> T) -> T {
    let mut old = 0;
    // SAFETY: a state that there is, and a place for the old one.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut old) };
    let _restore = Restore(old);
    f()
}
