//! Sleeping on a word, and waking who sleeps there.

use core::time::Duration;

use crate::sync::AtomicU32;
#[cfg(not(all(target_os = "linux", not(miri))))]
use crate::sync::Ordering;

/// Sleeps while `word` holds `value`, for `most` at most. May return for no reason.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32, most: Option<Duration>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: the word and the time are valid during the call.
    unsafe {
        let command = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // The kernel's structure for this call, whatever the C library's `timespec` is: on 32-bit processors
        // that may be one of 64 bits, which is another call's.
        let time = most.map(|most| {
            let seconds = libc::c_long::try_from(most.as_secs()).unwrap_or(libc::c_long::MAX);
            [seconds, most.subsec_nanos() as libc::c_long] // Less than 10^9.
        });
        let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        libc::syscall(libc::SYS_futex, word.as_ptr(), command, value, time);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    if word.load(Ordering::Relaxed) == value {
        const SHORT: Duration = Duration::from_micros(100);
        std::thread::sleep(most.map_or(SHORT, |most| most.min(SHORT)));
    }
}

/// Wakes up to `how_many` of the threads that sleep on `word`. Async-signal-safe.
pub(crate) fn futex_wake(word: &AtomicU32, how_many: i32) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: only the word's address is used. errno is put back: signal handlers come here.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let command = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        libc::syscall(libc::SYS_futex, word.as_ptr(), command, how_many);
        *errno = before;
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (word, how_many);
}
