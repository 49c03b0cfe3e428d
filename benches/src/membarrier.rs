//! The plain `membarrier(2)` call, which is the floor of a grace period.

/// Registers the process for the call. Returns false if the system does not have it.
#[must_use]
pub fn available() -> bool {
    const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;
    call(REGISTER_PRIVATE_EXPEDITED)
}

/// Makes every CPU that runs a thread of this process run a full barrier, where it is
/// [`available`].
pub fn barrier() {
    const PRIVATE_EXPEDITED: i32 = 1 << 3;
    call(PRIVATE_EXPEDITED);
}

#[cfg(target_os = "linux")]
fn call(command: i32) -> bool {
    // SAFETY: neither command touches the program's memory; unknown ones are refused.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn call(_command: i32) -> bool {
    false
}
