//! Signal handlers, and timers that send signals.

use std::io;
use std::time::Duration;

use crate::threads::gettid;

/// Installs a handler for the whole process.
///
/// # Safety
/// The handler must be async-signal-safe: it may run in the middle of anything.
pub unsafe fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a zeroed `sigaction` is valid; the handler may run at any time, as the caller
    // promises.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// A kernel timer that sends a thread a signal at every period, until dropped.
#[derive(Debug)]
pub struct Timer(libc::timer_t);

impl Timer {
    /// Starts a timer for the calling thread. The thread must drop the timer before it ends.
    ///
    /// # Errors
    /// Returns the kernel's error.
    pub fn start(signal: libc::c_int, period: Duration) -> io::Result<Self> {
        // SAFETY: zeroed structures are valid, and the calls fill the others.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = gettid();
            let mut timer: libc::timer_t = std::mem::zeroed();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
                return Err(io::Error::last_os_error());
            }
            let timer = Timer(timer);
            timer.set(period);
            Ok(timer)
        }
    }

    /// Sets another period.
    pub fn set(&self, period: Duration) {
        // SAFETY: the timer exists until `self` is dropped; the times are valid during the call.
        unsafe {
            let mut time: libc::itimerspec = std::mem::zeroed();
            time.it_interval.tv_sec = period.as_secs() as _;
            time.it_interval.tv_nsec = period.subsec_nanos() as _;
            time.it_value = time.it_interval;
            libc::timer_settime(self.0, 0, &raw const time, std::ptr::null_mut());
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: `start` made the timer, and nothing uses it again.
        unsafe { libc::timer_delete(self.0) };
    }
}
