//! Domains.

use core::mem;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use super::guard::{RawGuard, ReadGuard};
use super::state::{Root, State};
use crate::driver::Driver;
use crate::driver::job::{Runner, Settings};
use crate::settings::SharedBudget;
use crate::sync::{self, AtomicPtr, Instant, Ordering};
use crate::sys;

/// A set of read-side sections, and the grace periods that wait for them.
///
/// A grace period waits only for sections of its own domain. Most programs need no other domain than
/// [`global`](crate::global). Give sections that last long a domain of their own, so that they do not
/// delay the grace periods of others.
///
/// ```
/// static CONNECTIONS: urcu::Domain = urcu::Domain::named("connections");
///
/// let guard = CONNECTIONS.read_lock();
/// // ... read what is protected ...
/// drop(guard);
/// CONNECTIONS.synchronize();
/// ```
///
/// # Cost
/// A few words until the first use; then 128 bytes, and 64 bytes for each CPU that reads, in pages that
/// all domains share. The first grace period adds less than a kilobyte.
///
/// # Dropping
/// Dropping a domain waits for a grace period and runs the callbacks that are still queued, on the calling
/// thread or on a thread that is already running them. Guards cannot outlive the domain. If callbacks are
/// queued, a guard that was forgotten ([`core::mem::forget`]) makes the drop wait for ever.
///
/// A domain may be dropped by one of its own callbacks. It then does not wait for callbacks that
/// another thread is running at that moment, if they were queued in the same chunk (up to 126, from one
/// CPU).
pub struct Domain {
    /// The state; null until the first use.
    pub(super) state: AtomicPtr<State>,
    /// Another pointer to the state's driver, for leak checkers only: LeakSanitizer does not look for pointers in
    /// mappings, and the state is in one.
    root: Root,
    pub(super) settings: Settings,
    /// Stored here and not in the state, so that a forked child keeps it.
    pub(super) budget: SharedBudget,
}

const fn has_nul(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut number = 0;
    while number < bytes.len() {
        if bytes[number] == 0 {
            return true;
        }
        number += 1;
    }
    false
}

impl Domain {
    sync::const_fn! {
        /// Creates a domain without a name. Can be used in a `static`.
        pub fn new() -> Self {
            Domain {
                state: AtomicPtr::new(ptr::null_mut()),
                root: Root::new(ptr::null_mut()),
                settings: Settings::DEFAULT,
                budget: SharedBudget::unset(),
            }
        }
    }

    sync::const_fn! {
        /// Creates a domain with a name. Messages show it, and the thread of [`Runner::OwnThread`] is
        /// named after it.
        ///
        /// # Panics
        /// Panics if the name contains a NUL byte, which no thread's name can. In a `const` or a
        /// `static` this is a compile-time error.
        #[track_caller]
        pub fn named(name: &'static str) -> Self {
            assert!(!has_nul(name), "the name of an RCU domain has a NUL byte in it");
            let mut domain = Domain::new();
            domain.settings.name = Some(name);
            domain
        }
    }

    sync::const_fn! {
        /// Creates the domain whose state is a static of the process.
        pub(crate) fn of_process(state: *const State) -> Self {
            let mut domain = Domain::named("global");
            domain.state = AtomicPtr::new(state.cast_mut());
            domain
        }
    }

    /// Sets who runs the domain's callbacks and drives its grace periods: see [`Runner`].
    ///
    /// Call it once: a [`Runner::SharedExecutor`] that an earlier call has set is never dropped, because this is a
    /// `const` function, which cannot drop it.
    ///
    /// ```
    /// use urcu::{Domain, Runner};
    /// static LOOP: Domain = Domain::named("loop").run_by(Runner::Caller);
    ///
    /// LOOP.call(|| println!("a grace period has passed"));
    /// // In the program's own loop. A callback becomes ready after several calls:
    /// while LOOP.run_callbacks(100) == 0 {
    ///     std::thread::yield_now();
    /// }
    /// ```
    #[must_use]
    pub const fn run_by(mut self, runner: Runner) -> Self {
        mem::forget(mem::replace(&mut self.settings.runner, runner));
        self
    }

    /// Returns the state, which is made at the first use. Takes no lock and calls no allocator, because the first
    /// use may be in a signal handler that has interrupted another first use.
    #[inline(always)]
    pub(crate) fn state(&self) -> &State {
        // Acquire: pairs with the release in `make_state`.
        match NonNull::new(self.state.load(Ordering::Acquire)) {
            // SAFETY: the state is set once and freed when the domain is dropped, which cannot happen while `&self`
            // lives.
            Some(state) => unsafe { state.as_ref() },
            None => self.make_state(),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_state(&self) -> &State {
        let made = State::allocate(self.settings.name);
        let published = self.state.compare_exchange(
            ptr::null_mut(),
            made.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match published {
            // SAFETY: the state was just published, so it is freed when the domain is dropped, which cannot happen
            // while `&self` lives.
            Ok(_) => unsafe { made.as_ref() },
            Err(first) => {
                // SAFETY: our state was not published; for the first one the same holds as in `state`.
                unsafe {
                    State::free(made);
                    &*first
                }
            }
        }
    }

    /// Begins a read-side section, which ends when the guard is dropped.
    ///
    /// Sections may be nested. Guards may be moved to other threads and held across an `.await`; grace
    /// periods wait for all of them.
    ///
    /// # Panics
    /// Panics at the first use if the system has no memory for the counters.
    ///
    /// # Cost
    /// A few plain instructions, without an atomic one and without a call.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers, and in destructors of thread-local data.
    #[inline(always)]
    #[track_caller]
    pub fn read_lock(&self) -> ReadGuard<'_> {
        ReadGuard::begin(self.state())
    }

    /// Checks that a guard belongs to this domain.
    ///
    /// This is for structures whose methods take a guard and whose nodes are freed after grace periods of
    /// this domain.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain. The message names both domains.
    ///
    /// # Cost
    /// One comparison.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers, unless it panics.
    ///
    /// ```
    /// static NODES: urcu::Domain = urcu::Domain::named("nodes");
    ///
    /// fn first(guard: &urcu::ReadGuard<'_>) {
    ///     NODES.check(guard);
    ///     // ... what this guard protects may be followed ...
    /// }
    ///
    /// first(&NODES.read_lock());
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn check(&self, guard: &ReadGuard<'_>) {
        if !guard.is_of(self) {
            self.wrong_guard(guard);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_guard(&self, guard: &ReadGuard<'_>) -> ! {
        panic!(
            "what belongs to {self} was used with a guard of {}; take the guard from the same domain's \
             `read_lock()`",
            guard.domain()
        );
    }

    /// Waits for a grace period: until all read-side sections of this domain that are open now have
    /// ended. Sections that begin later see what the caller did before.
    ///
    /// A call inside a read-side section of the same domain waits for ever, which is
    /// [reported](crate::stall).
    ///
    /// # Panics
    /// Panics if the kernel begins to refuse `membarrier(2)` after the process's first use of RCU: at
    /// once where a filter forbids it, after three seconds where the kernel lacks memory for it. Also
    /// panics at the first use if the system has no memory for the counters.
    ///
    /// # Cost
    /// One system call that interrupts the CPUs on which this process runs (some microseconds), and
    /// the time until the longest section ends.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.synchronize();
    /// ```
    #[track_caller]
    pub fn synchronize(&self) {
        sys::tell_reader_mode();
        let (state, driver) = self.driver();
        let start = Instant::now();
        let round = driver.progress.sequence.snap();
        if let Err(refused) = driver.wait_for(&state.gp, round, &driver.blocking()) {
            sys::cannot_end(refused);
        }
        driver.counts.waited(start.elapsed());
        driver.tell(round);
    }

    /// Returns the state, ready for grace periods, and its driver.
    pub(crate) fn driver(&self) -> (&State, &Arc<Driver>) {
        let state = self.state();
        (
            state,
            state.driver(&self.settings, &self.budget, &self.root),
        )
    }
}

impl<'d> ReadGuard<'d> {
    /// Makes a guard again from the result of [`into_raw`](ReadGuard::into_raw).
    ///
    /// # Safety
    /// `raw` is from [`into_raw`](ReadGuard::into_raw) of a guard of `domain`. The domain was not dropped
    /// since, and each `raw` is used once.
    ///
    /// # Cost
    /// Two loads.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    #[inline(always)]
    pub unsafe fn from_raw(domain: &'d Domain, raw: RawGuard) -> Self {
        // SAFETY: `raw` is from a guard of `domain`, the domain was not dropped since, and `raw` is used once, as
        // the caller promises.
        unsafe { ReadGuard::of_raw(domain.state(), raw) }
    }

    /// Returns whether this is the guard of a section of `domain`.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let guard = domain.read_lock();
    /// assert!(guard.is_of(&domain));
    /// assert!(!guard.is_of(urcu::global()));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn is_of(&self, domain: &Domain) -> bool {
        self.is_of_state(domain.state())
    }
}

impl Default for Domain {
    fn default() -> Self {
        Domain::new()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        if let Some(state) = NonNull::new(*self.state.get_mut()) {
            // The global domain is a static and is not dropped.
            // SAFETY: `&mut self` means that no guard borrows the domain and no thread is in one of its methods.
            // After `close` nobody else reaches the state any more.
            unsafe {
                if let Some(driver) = state.as_ref().existing_driver() {
                    driver.finish(&state.as_ref().gp);
                    driver.close();
                }
                state.as_ref().forget_trace();
                State::free(state);
            }
        }
    }
}
