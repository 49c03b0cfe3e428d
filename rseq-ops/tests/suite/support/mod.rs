//! What tests share.

pub(crate) mod again;
#[cfg(not(miri))]
pub(crate) mod disturbed;
pub(crate) mod indexes;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rseq_ops::ops::Outcome;

/// Delays, handlers of signals and what else is the whole process's: who changes it, is alone.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how long a stress runs: `RSEQ_OPS_STRESS_MS` milliseconds, or 300.
pub(crate) fn stress_time() -> Duration {
    let text = std::env::var("RSEQ_OPS_STRESS_MS");
    Duration::from_millis(text.map_or(300, |text| text.parse().unwrap()))
}

/// An operation until it has an effect: tests may be patient, but not for ever.
pub(crate) fn until_committed(mut attempt: impl FnMut() -> Outcome) {
    for _ in 0..1_000_000 {
        match attempt() {
            Outcome::Committed => return,
            Outcome::Aborted => {}
            Outcome::Mismatch => panic!("a mismatch where nothing can differ"),
        }
    }
    panic!("a million aborts in a row");
}

/// Moves the calling thread to one of two CPUs, if there are two.
pub(crate) fn migrate(turn: usize) {
    urcu_host::affinity::run_on(&[turn % 2]);
}

/// The exit status of a forked child that runs `child`, which may only do what is
/// async-signal-safe.
#[cfg(not(miri))]
pub(crate) fn in_child(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child ends without returning.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(child()),
            pid => {
                assert!(pid > 0);
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                assert!(libc::WIFEXITED(status), "status {status:#x}");
                libc::WEXITSTATUS(status)
            }
        }
    }
}
