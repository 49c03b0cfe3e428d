//! The variables of the environment.

use crate::sync::once::Once;

/// Returns the value of `URCU_BUDGET` at the first call; also in a forked child.
pub(crate) fn budget_variable() -> Option<&'static str> {
    static FOUND: Once<Option<String>> = Once::new();
    let found = FOUND.get_or_make(|_| true, || environment_variable("URCU_BUDGET"));
    found.as_deref()
}

/// Returns a variable of the environment that this process was started with; `None` if it cannot be read.
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
