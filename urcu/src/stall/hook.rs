//! The hook that gets the reports, and the time after which they are made.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use super::report::Report;
use crate::sync::hook::{self, Hook};
use crate::sync::{self, fork};
use crate::sys;

/// None: the default hook.
static HOOK: Hook<dyn Fn(&Report) + Send + Sync> = Hook::new();
static TIMEOUT: AtomicU64 = AtomicU64::new(10_000_000_000);

/// Sets the hook that is called with every report, of all domains.
///
/// It replaces the default, which writes a warning through `tracing` or `log` if one of these features
/// is on, and otherwise a line on standard error.
///
/// The hook runs on a thread that waits for the grace period, or on a thread of its own if only a
/// background thread waits. No lock of this library is held meanwhile, and other threads go on with the
/// grace period. So the hook may read, retire, wait for grace periods, await them, drop domains and fork,
/// and need not return. (If it waits for the section that it was called about, it waits as long as that
/// section lasts.) Nothing is reported from inside the hook. A panic in it is caught.
///
/// A report with [`Report::over_budget`] comes from the thread that has to wait, in the middle of
/// [`Domain::call`](crate::Domain::call), `defer_drop`, `store` and the like. The program may hold locks
/// there, which the hook must not take, and be inside sections, which it must not wait for.
pub fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    HOOK.set(Some(Arc::new(hook)));
}

/// Removes the hook set by [`set_hook`]: reports go to the default again.
pub fn remove_hook() {
    HOOK.set(None);
}

/// Sets the time after which a grace period is reported for the first time, in all domains. The default
/// is ten seconds; with [`Duration::MAX`] grace periods are never reported.
///
/// Grace periods that are being waited for already keep the timeout that was set before.
///
/// Two other reports depend on the timeout. A domain over its budget is reported at once, and again no
/// sooner than after this time. A thread that waits for a section of its own is reported (see
/// [`Report::deadlock`]) after this time, or after three seconds if that is shorter.
pub fn set_timeout(timeout: Duration) {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    TIMEOUT.store(nanoseconds, Ordering::Relaxed);
}

/// Returns the time after which a grace period is reported: see [`set_timeout`].
pub fn timeout() -> Duration {
    match TIMEOUT.load(Ordering::Relaxed) {
        u64::MAX => Duration::MAX,
        nanoseconds => Duration::from_nanos(nanoseconds),
    }
}

fn default_hook(report: &Report) {
    sys::say(format_args!("{report}"));
}

thread_local! {
    /// The process in which the thread is inside the hook; 0: in none. Without a destructor: it is
    /// there as long as the thread is.
    static REPORTING: Cell<u64> = const { Cell::new(0) };
}

/// Returns whether the calling thread is inside the hook. A child that the hook has forked is not.
pub(crate) fn is_in_hook() -> bool {
    REPORTING.get() == fork::generation()
}

pub(super) fn tell(report: &Report) {
    let outer = REPORTING.replace(fork::generation());
    // A hook that panics must not end a grace period early, nor the worker.
    sync::as_user(|| {
        hook::use_up(HOOK.get(), |hook| match hook {
            Some(hook) => hook(report),
            None => default_hook(report),
        });
    });
    REPORTING.set(outer);
}
