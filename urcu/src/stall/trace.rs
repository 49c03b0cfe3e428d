//! A record of the open sections and of who began them, in debug builds and with the feature `stall-trace`.
//!
//! Every section notes where and by which thread it was begun, in a table of fixed size, without a lock,
//! because sections begin in signal handlers too. When the table is full, sections are not noted. In other
//! builds a [`Trace`] is empty and records nothing.

#[cfg(any(debug_assertions, feature = "stall-trace"))]
pub(crate) use on::{Trace, begun_by_this_thread, forget, open};

#[cfg(not(any(debug_assertions, feature = "stall-trace")))]
pub(crate) use off::{Trace, begun_by_this_thread, forget, open};

use core::fmt;
use core::panic::Location;
use core::time::Duration;

/// A domain, by an address that no other domain has as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DomainId(usize);

impl DomainId {
    /// Returns the domain whose state lies at this address.
    #[inline(always)]
    pub(crate) fn of<T>(state: *const T) -> Self {
        DomainId(state.addr())
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The beginning of an open section.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// The call that began it.
    pub place: &'static Location<'static>,
    /// The thread that began it, as a number that this library gives. The guard may be on another thread now.
    pub thread: u64,
    /// The number by which the system knows that thread, as `/proc/self/task`, `top -H` and debuggers show it.
    /// `None` where this library does not know it (elsewhere than on Linux).
    pub tid: Option<u32>,
    /// The thread's name at the time of the report, of which Linux keeps 15 bytes. `None` if the thread has
    /// ended, or the name cannot be read. (A number is given again in time: the name can be that of a thread
    /// that came later, where a guard was left behind by one that has ended.)
    pub name: Option<String>,
    /// The time since it began.
    pub age: Duration,
}

impl fmt::Display for Site {
    /// Writes the place, the age and the thread.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site {
            place, thread, age, ..
        } = self;
        write!(f, "{place} ({age:.3?} ago, thread {thread}")?;
        if let Some(name) = &self.name {
            write!(f, ", {name:?}")?;
        }
        if let Some(tid) = self.tid {
            write!(f, ", tid {tid}")?;
        }
        f.write_str(")")
    }
}

#[cfg(any(debug_assertions, feature = "stall-trace"))]
mod on {
    use core::panic::Location;
    use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
    };
    use core::sync::atomic::{Ordering::Acquire, Ordering::Release};
    use core::time::Duration;
    use std::cell::Cell;

    use super::{DomainId, Site};
    use crate::sync::fork;

    struct Entry {
        /// The domain's state; 0 while the entry is free, 1 while it is being filled.
        domain: AtomicUsize,
        place: AtomicPtr<Location<'static>>,
        thread: AtomicU64,
        /// The system's number of the thread; 0: unknown.
        tid: AtomicU32,
        /// The time at which the section began, by [`now`].
        since: AtomicU64,
        /// The process of the section, because a child inherits entries of threads that it does not have.
        fork_generation: AtomicU64,
        /// True once another thread has used or dropped the guard.
        moved: AtomicBool,
    }

    const ENTRIES: usize = 8192;
    /// The number of entries that are tried.
    const TRIES: usize = 32;
    const NONE: u32 = u32::MAX;

    static TABLE: [Entry; ENTRIES] = [const {
        Entry {
            domain: AtomicUsize::new(0),
            place: AtomicPtr::new(core::ptr::null_mut()),
            thread: AtomicU64::new(0),
            tid: AtomicU32::new(0),
            since: AtomicU64::new(0),
            fork_generation: AtomicU64::new(0),
            moved: AtomicBool::new(false),
        }
    }; ENTRIES];

    thread_local! {
        // It has no destructor, so it is there as long as the thread is.
        static THREAD: Cell<u64> = const { Cell::new(0) };
        static NEXT: Cell<usize> = const { Cell::new(0) };
        // In which process, and the number there.
        static TID: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
    }

    /// Returns the system's number of the calling thread, which is another one in a forked child; 0: unknown.
    fn tid(fork_generation: u64) -> u32 {
        let (of, known) = TID.get();
        if of == fork_generation {
            return known;
        }
        #[cfg(target_os = "linux")]
        // SAFETY: takes nothing, and cannot fail. Async-signal-safe.
        let tid = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
        #[cfg(not(target_os = "linux"))]
        let tid = 0;
        TID.set((fork_generation, tid));
        tid
    }

    /// Returns the name of a thread, if it is there and its name can be read.
    fn name(tid: u32) -> Option<String> {
        let comm = std::fs::read(format!("/proc/self/task/{tid}/comm")).ok()?;
        Some(String::from_utf8_lossy(&comm).trim_end().to_owned())
    }

    fn this_thread() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        THREAD.with(|thread| {
            if thread.get() == 0 {
                thread.set(LAST.fetch_add(1, Relaxed) + 1);
            }
            thread.get()
        })
    }

    /// Returns nanoseconds of a clock that never goes back.
    fn now() -> u64 {
        #[cfg(unix)]
        // SAFETY: fills the structure. Async-signal-safe.
        unsafe {
            let mut time: libc::timespec = core::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
            time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
        }
        #[cfg(not(unix))]
        0
    }

    /// A section's entry.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Trace(u32);

    impl Trace {
        #[track_caller]
        pub(crate) fn begin(domain: DomainId) -> Trace {
            let thread = this_thread();
            let first = NEXT.with(|next| next.replace(next.get() + 1)) + thread as usize * 61;
            for number in (first..first + TRIES).map(|number| number % ENTRIES) {
                let entry = &TABLE[number];
                if entry
                    .domain
                    .compare_exchange(0, 1, Acquire, Relaxed)
                    .is_err()
                {
                    continue;
                }
                let place = core::ptr::from_ref(Location::caller()).cast_mut();
                entry.place.store(place, Relaxed);
                entry.thread.store(thread, Relaxed);
                let fork_generation = fork::generation();
                entry.tid.store(tid(fork_generation), Relaxed);
                entry.since.store(now(), Relaxed);
                entry.fork_generation.store(fork_generation, Relaxed);
                entry.moved.store(false, Relaxed);
                entry.domain.store(domain.0, Release);
                return Trace(number as u32);
            }
            Trace(NONE)
        }

        /// Notes that this thread uses the section.
        pub(crate) fn used(self) {
            if let Some(entry) = TABLE.get(self.0 as usize)
                && entry.thread.load(Relaxed) != this_thread()
            {
                entry.moved.store(true, Relaxed);
            }
        }

        pub(crate) fn end(self) {
            if let Some(entry) = TABLE.get(self.0 as usize) {
                entry.domain.store(0, Release);
            }
        }

        /// Returns the entry as a word, to be kept elsewhere; 0 if there is none.
        pub(crate) fn to_word(self) -> usize {
            self.0.wrapping_add(1) as usize
        }

        pub(crate) fn of_word(word: usize) -> Trace {
            Trace((word as u32).wrapping_sub(1))
        }
    }

    fn entries(domain: DomainId) -> impl Iterator<Item = &'static Entry> {
        let (DomainId(domain), fork_generation) = (domain, fork::generation());
        TABLE.iter().filter(move |entry| {
            entry.domain.load(Acquire) == domain
                && entry.fork_generation.load(Relaxed) == fork_generation
        })
    }

    impl Entry {
        /// Returns the entry as a part of a report, at the time `now`.
        fn site(&self, now: u64) -> Option<Site> {
            // SAFETY: null or a `&'static Location`.
            let place = unsafe { self.place.load(Relaxed).as_ref() }?;
            let tid = Some(self.tid.load(Relaxed)).filter(|tid| *tid != 0);
            Some(Site {
                place,
                thread: self.thread.load(Relaxed),
                tid,
                name: tid.and_then(name),
                age: Duration::from_nanos(now.saturating_sub(self.since.load(Relaxed))),
            })
        }
    }

    /// Removes the entries of a domain that ends, which nobody else has any more: guards that were
    /// forgotten left them, and they must not count for the next domain at this address. Returns whether
    /// there may be any. Mostly there are none, as `any_left` tells, and then the table is not searched.
    pub(crate) fn forget(domain: DomainId, any_left: impl FnOnce() -> bool) -> bool {
        if !any_left() {
            return false;
        }
        let DomainId(domain) = domain;
        let left = |entry: &&Entry| entry.domain.load(Relaxed) == domain;
        // Nobody else changes these: no guard of the domain is left that could be dropped.
        TABLE
            .iter()
            .filter(left)
            .for_each(|entry| entry.domain.store(0, Relaxed));
        true
    }

    /// Returns the sections of a domain that are open now.
    pub(crate) fn open(domain: DomainId) -> Vec<Site> {
        let now = now();
        let sites = entries(domain).filter_map(|entry| entry.site(now));
        sites.collect()
    }

    /// Returns the oldest section that the calling thread began, that is open, and that no other thread is known
    /// to have used.
    pub(crate) fn begun_by_this_thread(domain: DomainId) -> Option<Site> {
        let thread = this_thread();
        let theirs =
            |entry: &&Entry| entry.thread.load(Relaxed) == thread && !entry.moved.load(Relaxed);
        let oldest = entries(domain)
            .filter(theirs)
            .min_by_key(|entry| entry.since.load(Relaxed));
        oldest?.site(now())
    }
}

#[cfg(not(any(debug_assertions, feature = "stall-trace")))]
mod off {
    use super::{DomainId, Site};

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Trace;

    impl Trace {
        #[inline(always)]
        pub(crate) fn begin(_: DomainId) -> Trace {
            Trace
        }
        #[inline(always)]
        pub(crate) fn used(self) {}
        #[inline(always)]
        pub(crate) fn end(self) {}
        #[inline(always)]
        pub(crate) fn to_word(self) -> usize {
            0
        }
        #[inline(always)]
        pub(crate) fn of_word(_: usize) -> Trace {
            Trace
        }
    }

    pub(crate) fn forget(_: DomainId, _: impl FnOnce() -> bool) -> bool {
        false
    }

    pub(crate) fn open(_: DomainId) -> Vec<Site> {
        Vec::new()
    }

    pub(crate) fn begun_by_this_thread(_: DomainId) -> Option<Site> {
        None
    }
}
