//! Standard error, and the variables of the environment.

use crate::callbacks::Budget;
use crate::sync::once::Once;
use crate::sync::{AtomicBool, Ordering};

/// Writes to standard error. Without the standard library's lock: in a forked child, a thread that it
/// does not have may hold that.
#[cfg(not(any(feature = "log", feature = "tracing")))]
pub(crate) fn write_line(line: &str) {
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

/// The budget of domains for which the program has not chosen one.
pub(crate) fn default_budget() -> Budget {
    // Not wiped: a child has its parent's, and says nothing again.
    static FOUND: Once<Budget> = Once::new();
    static TOLD: AtomicBool = AtomicBool::new(false);
    *FOUND.get_or_make(
        |_| true,
        || {
            let text = environment_variable("URCU_BUDGET");
            let (budget, bad) = Budget::from_text(text.as_deref());
            if bad && !TOLD.swap(true, Ordering::Relaxed) {
                crate::stall::say(format_args!(
                    "URCU_BUDGET is not COUNT:BYTES or COUNT:BYTES:PATIENCE (milliseconds), in \
                     decimal digits: {:?}; {} callbacks and {} bytes are in force",
                    text.unwrap_or_default(),
                    budget.count,
                    budget.bytes,
                ));
            }
            budget
        },
    )
}

/// A variable of the environment that this process was started with; `None` if that is not to be had.
///
/// Read from the kernel, without the standard library's lock: in a forked child, a thread that it does
/// not have may hold that. (And the C library's `getenv` may not be called while others change the
/// environment.)
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    let all = std::fs::read("/proc/self/environ").ok()?;
    let value = all.split(|byte| *byte == 0).find_map(|variable| {
        let rest = variable.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned())
}
