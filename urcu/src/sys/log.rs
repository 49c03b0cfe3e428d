//! Messages for whoever operates the program.

use core::fmt;

/// Writes a line for whoever operates the program.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "urcu", "{line}");
    #[cfg(all(feature = "log", not(feature = "tracing")))]
    log::warn!(target: "urcu", "{line}");
    #[cfg(not(any(feature = "log", feature = "tracing")))]
    {
        // Not `eprintln!`, which panics where there is no standard error.
        write_line(&format!("urcu: {line}\n"));
    }
}

/// Writes to standard error. Without the standard library's lock: in a forked child, a thread that it
/// does not have may hold that.
#[cfg(not(any(feature = "log", feature = "tracing")))]
fn write_line(line: &str) {
    use std::io::Write;
    #[cfg(all(unix, not(miri)))]
    // SAFETY: the descriptor is not closed, whatever it is.
    let mut standard_error = unsafe {
        use std::os::fd::FromRawFd;
        core::mem::ManuallyDrop::new(std::fs::File::from_raw_fd(libc::STDERR_FILENO))
    };
    #[cfg(not(all(unix, not(miri))))]
    let mut standard_error = std::io::stderr();
    let _ = standard_error.write_all(line.as_bytes());
}
