//! The global domain, and functions that use it.

use crate::domain::{Domain, GLOBAL as STATE, ReadGuard, State};

// With addresses of 32 bits it is smaller, and aligned as much all the same.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<State>() == 128);

/// Returns the state of [`global`].
#[inline(always)]
pub(crate) fn global_state() -> &'static State {
    STATE.get()
}

static GLOBAL: Domain = Domain::of_process(&raw const *STATE.get());

/// Returns the global domain, which the free functions and [`Rcu::new`](crate::Rcu::new) use.
///
/// Its read-side sections are a little cheaper than those of other domains, because its state is at an
/// address that the linker knows.
pub fn global() -> &'static Domain {
    &GLOBAL
}

/// Begins a read-side section of the [`global`] domain; see [`Domain::read_lock`].
///
/// ```
/// let config = urcu::Rcu::new(String::from("old"));
/// let guard = urcu::read_lock();
/// assert_eq!(config.load(&guard), "old");
/// ```
#[inline(always)]
#[track_caller]
pub fn read_lock() -> ReadGuard<'static> {
    ReadGuard::begin(global_state())
}

/// Waits for a grace period of the [`global`] domain; see [`Domain::synchronize`].
#[track_caller]
pub fn synchronize() {
    GLOBAL.synchronize();
}

/// Runs `f` after a grace period of the [`global`] domain; see [`Domain::call`].
///
/// ```
/// urcu::call(|| println!("a grace period has passed"));
/// urcu::barrier();
/// ```
pub fn call(f: impl FnOnce() + Send + 'static) {
    GLOBAL.call(f);
}

/// Drops `value` after a grace period of the [`global`] domain; see [`Domain::defer_drop`].
///
/// May run destructors of values that were retired earlier on the calling thread.
///
/// ```
/// urcu::defer_drop(vec![1, 2, 3]);
/// ```
pub fn defer_drop<T: Send + 'static>(value: T) {
    GLOBAL.defer_drop(value);
}

/// Waits until all callbacks queued on the [`global`] domain before this call have run; see
/// [`Domain::barrier`].
#[track_caller]
pub fn barrier() {
    GLOBAL.barrier();
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use std::process::Command;

    /// In a process of its own, of which nothing else has asked which one it is. Nor does tracing,
    /// which would: this is what release builds do.
    #[test]
    fn the_child_of_a_process_that_has_only_read_starts_anew() {
        let child = "global::tests::child_of_a_process_that_has_only_read";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }

    #[test]
    #[ignore = "a process of its own"]
    fn child_of_a_process_that_has_only_read() {
        let state = global_state();
        let readers = &state.gp.readers;
        assert!(!readers.is_set_up());
        // A section that stays open.
        state.read_lock_slow();
        assert!(readers.is_set_up());
        // SAFETY: the child only looks at the word, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = i32::from(readers.is_set_up());
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: the status is valid for the write.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child has the counters of its parent");
    }
}
