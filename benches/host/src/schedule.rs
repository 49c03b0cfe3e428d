//! Scheduling policies.

use std::io;

/// Sets the scheduling policy of a thread (0 for the calling thread).
///
/// # Errors
/// Returns the kernel's error.
pub fn schedule(thread: libc::pid_t, policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    // SAFETY: the parameter is valid during the call, and all bits zero is a valid one.
    let result = unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = priority;
        libc::sched_setscheduler(thread, policy, &raw const parameter)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
