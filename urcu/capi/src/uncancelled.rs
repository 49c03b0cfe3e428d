//! Makes sure that no call of this library is a cancellation point.
//!
//! `pthread_cancel` unwinds the thread's stack, through frames of Rust that nobody may unwind, from
//! wherever the thread calls into libc next. So calls that may do that, which are all but those of
//! readers, put cancellation off. They also put `errno` back, which waiting sets.

use core::ffi::c_int;

use crate::errno::{errno, set_errno};

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

struct Restore {
    state: c_int,
    errno: c_int,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: restores the state that was set before.
        unsafe { pthread_setcancelstate(self.state, core::ptr::null_mut()) };
        set_errno(self.errno);
    }
}

/// Calls `f` with the thread's cancellation put off, and leaves `errno` as it was.
#[inline(always)]
pub(crate) fn uncancelled<T>(f: impl FnOnce() -> T) -> T {
    let errno = errno();
    let mut state = 0;
    // SAFETY: a valid state, and a valid pointer for the old one.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut state) };
    let _restore = Restore { state, errno };
    f()
}
