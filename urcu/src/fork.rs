//! What a forked child finds: zeroes.
//!
//! The child of a `fork` has one thread, and a copy of counters that hold the sections of threads
//! it does not have, of locks that nobody will release, of a worker that does not run. All such
//! state lies in memory that the kernel wipes in every child, whoever forks and from where
//! (`MADV_WIPEONFORK`, Linux 4.14): by `fork`, `_Fork` or `clone`, in a signal handler, with the
//! lead of a grace period taken by another thread. Zeroes are the state before the first use, so
//! in the child every domain sets itself up again at its first use there, with counters at
//! addresses that no older guard knows.
//!
//! What cannot be zero (collections, locks of the standard library) is on the heap, behind
//! pointers that are wiped: the child leaks it and makes its own.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use rseq_ops::percpu::{Allocator, Fork, PerCpu, Zeroed};

use crate::domain::State;
use crate::rounds::Rounds;
use crate::worker::Worker;

/// What a process has once. A whole page, or several, because only whole pages can be wiped.
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
#[cfg_attr(not(target_arch = "aarch64"), repr(C, align(4096)))]
pub(crate) struct Process {
    /// The global domain's. At an address that the compiler knows.
    pub(crate) global: State,
    /// The process-wide barriers, which the grace periods of all domains share.
    pub(crate) barriers: Rounds,
    pub(crate) worker: AtomicPtr<Worker>,
    /// Changes when the worker has reason to look around; the word it sleeps on.
    pub(crate) poked: AtomicU32,
    /// 1 while it sleeps.
    pub(crate) worker_sleeps: AtomicU32,
    /// 1 once it was started.
    pub(crate) worker_started: AtomicU32,
    /// Held while the stall hook is fetched or replaced.
    pub(crate) hook_lock: AtomicU32,
    /// Which process this is, counted from the first one that used this library. 0: not known yet.
    incarnation: AtomicU64,
}

pub(crate) static PROCESS: Process = Process {
    global: State::new(),
    barriers: Rounds::new(),
    worker: AtomicPtr::new(core::ptr::null_mut()),
    poked: AtomicU32::new(0),
    worker_sleeps: AtomicU32::new(0),
    worker_started: AtomicU32::new(0),
    hook_lock: AtomicU32::new(0),
    incarnation: AtomicU64::new(0),
};

/// A number that differs between a process and the children it forked. Async-signal-safe.
pub(crate) fn incarnation() -> u64 {
    /// Not wiped: the last number that was taken.
    static LAST: AtomicU64 = AtomicU64::new(0);
    let known = PROCESS.incarnation.load(Ordering::Acquire);
    if known != 0 {
        return known;
    }
    // Before anything is stored there.
    wipe_on_fork();
    // Taken before it is in force: a child that is forked in between must not take it again.
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    PROCESS
        .incarnation
        .compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire)
        .map_or_else(|first| first, |_| next)
}

/// Makes the kernel wipe [`PROCESS`] in children. Where it cannot (another system, pages that are
/// larger than expected), children inherit the parent's state, as the documentation says.
fn wipe_on_fork() {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: advice about memory that is ours alone: whole pages, or the kernel would wipe what
    // else is in them. errno is put back, because this also runs in signal handlers.
    unsafe {
        let page = libc::getauxval(libc::AT_PAGESZ) as usize;
        if page != 0 && align_of::<Process>().is_multiple_of(page) {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::madvise(
                (&raw const PROCESS).cast_mut().cast(),
                size_of::<Process>(),
                libc::MADV_WIPEONFORK,
            );
            *errno = before;
        }
    }
}

/// Where domains keep their state and counters: small objects that share pages.
fn memory() -> &'static Allocator {
    static WIPED: Allocator = Allocator::new(Fork::Wipe);
    static KEPT: Allocator = Allocator::new(Fork::Keep);
    static DECIDED: AtomicPtr<Allocator> = AtomicPtr::new(core::ptr::null_mut());
    let decided = DECIDED.load(Ordering::Acquire);
    // SAFETY: null or one of the two statics.
    if let Some(decided) = unsafe { decided.as_ref() } {
        return decided;
    }
    let found = match PerCpu::<AtomicU64>::zeroed(&WIPED) {
        Ok(_) => &WIPED,
        Err(_) => &KEPT,
    };
    // Should two first uses disagree, the first stays.
    let first = DECIDED.compare_exchange(
        core::ptr::null_mut(),
        core::ptr::from_ref(found).cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    match first {
        Ok(_) => found,
        // SAFETY: one of the two statics.
        Err(first) => unsafe { &*first },
    }
}

/// One zeroed `T` for each possible CPU, for good or until [`free`]. Async-signal-safe.
///
/// # Panics
/// If there is no memory.
pub(crate) fn allocate<T: Zeroed>() -> *mut T {
    match PerCpu::zeroed(memory()) {
        Ok(object) => object.into_base(),
        Err(error) => panic!("no memory for an RCU domain: {error}"),
    }
}

/// # Safety
/// From [`allocate`], in this process or its parent's copy, and not used any more.
pub(crate) unsafe fn free<T>(base: *mut T) {
    // SAFETY: the caller's.
    drop(unsafe { PerCpu::from_base(memory(), base) });
}
