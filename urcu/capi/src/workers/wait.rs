//! Sleeps on a word until another thread changes it.

use core::ptr;
use core::sync::atomic::AtomicU32;
use core::time::Duration;

/// The longest sleep of a waiting thread before it looks again. In a child of `fork`, nobody may be left who would wake
/// it.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Sleeps while the word is `value`, until [`wake`] is called, the time is over, or a signal arrives.
pub(crate) fn wait(word: &AtomicU32, value: u32, time: Option<Duration>) {
    let time = time.map(|time| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(time.subsec_nanos()),
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word is alive, and the time is null or valid. Whatever the call returns, the caller looks again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            time,
        )
    };
}

/// Wakes all threads that sleep on the word.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: the call uses only the word's address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        )
    };
}
