//! What everything else is built from: atomics, locks, sleeping and threads, and what a process has once.
//! The loom models have another module of this name, so whatever is concurrency is imported from here.

pub(crate) mod fork;
mod futex;
pub(crate) mod hook;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod panics;
pub(crate) mod rundown;
pub(crate) mod threads;

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    fence,
};
pub(crate) use std::panic::catch_unwind;
pub(crate) use std::thread_local;
pub(crate) use std::time::Instant;

pub(crate) use futex::{futex_wait, futex_wake};
pub(crate) use mutex::{Mutex, MutexGuard};
pub(crate) use threads::{as_user, start as start_thread, without_signals};

/// The library's own threads.
pub(crate) mod thread {
    pub(crate) use super::threads::{Thread, park};
    pub(crate) use std::thread::sleep;
}

/// A function that is `const` here; the models' atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

#[cfg(all(target_os = "linux", not(miri)))]
use core::time::Duration;

use fork::Process;

pub(crate) static PROCESS: Process = Process::new();

/// What this process has once.
#[inline(always)]
pub(crate) fn process() -> &'static Process {
    &PROCESS
}

/// One more with each call, in the children of this process too.
pub(crate) fn next_generation() -> u64 {
    /// Not wiped: the last number that was taken.
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Makes the kernel wipe [`process`] in children. Where it cannot (another system, pages that are
/// larger than expected), children inherit the parent's state, as the documentation says.
///
/// # Panics
/// If the kernel has no memory for it, for longer than some milliseconds.
pub(crate) fn wipe_on_fork() {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        /// From 10 microseconds, each pause twice as long as the one before: 10 milliseconds in all.
        const TRIES: u32 = 10;
        // SAFETY: reads the auxiliary vector.
        let page = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
        if page == 0 || !align_of::<Process>().is_multiple_of(page) {
            return;
        }
        let refused = (0..TRIES).all(|tried| {
            let refused = wiping_is_refused_now();
            if refused {
                pause(Duration::from_micros(10 << tried));
            }
            refused
        });
        // Else a forked child would wait for threads that it does not have.
        if refused {
            panic!(
                "no memory for the state of RCU: the kernel refused to wipe {} bytes in children",
                size_of::<Process>()
            );
        }
    }
}

/// Sleeps, or less long if a signal comes. Async-signal-safe.
#[cfg(all(target_os = "linux", not(miri)))]
fn pause(time: Duration) {
    // SAFETY: errno is the calling thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    thread::sleep(time);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Advises the kernel; whether it refused for a reason that may pass.
#[cfg(all(target_os = "linux", not(miri)))]
fn wiping_is_refused_now() -> bool {
    // SAFETY: advice about memory that is ours alone: whole pages, or the kernel would wipe what
    // else is in them. errno is put back, because this also runs in signal handlers.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let refused = libc::madvise(
            (&raw const PROCESS).cast_mut().cast(),
            size_of::<Process>(),
            libc::MADV_WIPEONFORK,
        ) != 0;
        let passing = refused && matches!(*errno, libc::EAGAIN | libc::ENOMEM | libc::EINTR);
        *errno = before;
        passing
    }
}

/// One turn of a short wait.
pub(crate) fn spin() {
    core::hint::spin_loop();
}
