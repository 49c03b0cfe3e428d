//! Domains, and the guards of their read-side sections.

use core::fmt;
use core::num::NonZeroUsize;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;
use std::time::Instant;

use rseq_ops::percpu::Zeroed;

use crate::callbacks;
use crate::fork::{self, PROCESS};
use crate::grace_period::GracePeriods;
use crate::machine;
use crate::readers::{Readers, Token};
use crate::stall::Watch;
use crate::stats::Stats;
use crate::tasks::Tasks;
use crate::trace::{self, Trace};

/// What a domain is made of, two cache lines. It never moves while the domain lives, unlike the
/// [`Domain`], so that guards and the worker can refer to it. A forked child finds zeroes, which is
/// the state before the first use: see `fork`.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct State {
    pub(crate) grace_periods: GracePeriods,
    /// From `Box::into_raw`; null until there is something to do.
    tasks: AtomicPtr<Arc<Tasks>>,
}

// SAFETY: integers, atomic and zero at rest, and a pointer that may be null.
unsafe impl Zeroed for State {}

const _: () = assert!(size_of::<State>() == 128);

impl State {
    pub(crate) const fn new() -> Self {
        State {
            grace_periods: GracePeriods::new(),
            tasks: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The memory is that of one CPU; the other CPUs' is never touched.
    fn allocate() -> NonNull<State> {
        NonNull::new(fork::allocate::<State>()).expect("an address")
    }

    /// # Safety
    /// `state` is from [`State::allocate`] and nobody uses it any more.
    unsafe fn free(state: NonNull<State>) {
        // SAFETY: the caller's.
        unsafe {
            if let Some(word) = state.as_ref().grace_periods.readers.word() {
                machine::free_slots(word.get());
            }
            let tasks = state.as_ref().tasks.load(Ordering::Acquire);
            if !tasks.is_null() {
                drop(Box::from_raw(tasks));
            }
            fork::free(state.as_ptr());
        }
    }

    /// Sets the readers up: in every process, and again in every child.
    #[cold]
    #[inline(never)]
    fn set_up(&self) {
        // Before anything is stored in memory that the next child must find wiped.
        fork::incarnation();
        // Asked now and remembered: it takes stack, of which a signal handler may have little,
        // and what comes takes some itself.
        machine::slots();
        let base = machine::allocate_slots();
        if !self.grace_periods.readers.set_up(base) {
            // SAFETY: nobody else knows it.
            unsafe { machine::free_slots(base) };
        }
    }

    fn existing_tasks(&self) -> Option<&Arc<Tasks>> {
        // SAFETY: null, or set once and freed with the state.
        unsafe { self.tasks.load(Ordering::Acquire).as_ref() }
    }

    /// The tasks, made if need be; and the readers are set up, so that there can be grace periods.
    fn tasks(&self, name: Option<&'static str>) -> &Arc<Tasks> {
        match self.existing_tasks() {
            Some(tasks) => tasks,
            None => self.make_tasks(name),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_tasks(&self, name: Option<&'static str>) -> &Arc<Tasks> {
        if !self.grace_periods.readers.is_set_up() {
            self.set_up();
        }
        // SAFETY: `Domain::drop` closes them first; the global domain is not dropped.
        let made = Box::into_raw(Box::new(unsafe { Tasks::new(self, name) }));
        let published =
            self.tasks
                .compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        // SAFETY: published ones are as in `existing_tasks`; what was not is ours.
        unsafe {
            match published {
                Ok(_) => &*made,
                Err(first) => {
                    drop(Box::from_raw(made));
                    &*first
                }
            }
        }
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn read_lock(&self) -> ReadGuard<'_> {
        let token = match self.grace_periods.readers.enter() {
            Some(token) => token,
            None => Readers::slow_token(self.read_lock_slowly()),
        };
        ReadGuard {
            state: self,
            token,
            trace: Trace::begin(self),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_lock_slowly(&self) -> NonZeroUsize {
        loop {
            if let Some(word) = self.grace_periods.readers.enter_slowly() {
                return word;
            }
            self.set_up();
        }
    }
}

/// The state of [`global`].
#[inline(always)]
pub(crate) fn global_state() -> &'static State {
    &PROCESS.global
}

static GLOBAL: Domain = Domain {
    state: AtomicPtr::new((&raw const PROCESS.global).cast_mut()),
    name: Some("global"),
};

/// The domain that the free functions and [`Rcu::new`](crate::Rcu::new) use.
///
/// Its read-side sections are a little cheaper than those of other domains, because its state is
/// at an address that the compiler knows.
pub fn global() -> &'static Domain {
    &GLOBAL
}

/// A set of read-side sections and the grace periods that wait for them.
///
/// A grace period waits for the sections of its own domain alone. Use a domain of your own where
/// sections are long, so that they do not delay others' grace periods; else use [`global`].
///
/// A `Domain` costs two words until its first use, then a mapping of some pages of which a few
/// are touched.
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
/// # Dropping
/// Callbacks that are queued run first, which waits for a grace period. Guards cannot outlive the
/// domain; one that was forgotten ([`core::mem::forget`]) makes that wait endless if there are
/// callbacks.
pub struct Domain {
    /// Null until the first use.
    state: AtomicPtr<State>,
    name: Option<&'static str>,
}

impl Domain {
    /// A domain without a name. Can be used in a `static`.
    pub const fn new() -> Self {
        Domain {
            state: AtomicPtr::new(ptr::null_mut()),
            name: None,
        }
    }

    /// A domain with a name for messages.
    pub const fn named(name: &'static str) -> Self {
        Domain {
            state: AtomicPtr::new(ptr::null_mut()),
            name: Some(name),
        }
    }

    /// The state, made at the first use. No lock and no allocator: the first use may be in a
    /// signal handler that interrupted the first use.
    #[inline(always)]
    pub(crate) fn state(&self) -> &State {
        // Acquire: pairs with the release in `make_state`.
        match NonNull::new(self.state.load(Ordering::Acquire)) {
            // SAFETY: set once, freed when the domain is dropped, which `&self` outlives.
            Some(state) => unsafe { state.as_ref() },
            None => self.make_state(),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_state(&self) -> &State {
        let made = State::allocate();
        let published = self.state.compare_exchange(
            ptr::null_mut(),
            made.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match published {
            // SAFETY: as in `state`.
            Ok(_) => unsafe { made.as_ref() },
            Err(first) => {
                // SAFETY: ours was not published; the first one is as in `state`.
                unsafe {
                    State::free(made);
                    &*first
                }
            }
        }
    }

    /// Begins a read-side section, which ends when the guard is dropped.
    ///
    /// Cost: a few plain instructions, no atomic one, no call. Sections may be nested, guards may
    /// move to other threads and live across an `.await`; a grace period waits for all of them.
    ///
    /// Async-signal-safe, and usable in destructors of thread-local data.
    ///
    /// # Panics
    /// At the first use, if the system has no memory for the counters.
    #[inline(always)]
    #[track_caller]
    pub fn read_lock(&self) -> ReadGuard<'_> {
        self.state().read_lock()
    }

    /// Waits for a grace period: until all read-side sections of this domain that are open now
    /// have ended. Sections that begin later see what the caller did before.
    ///
    /// Cost: one system call that interrupts the CPUs on which this process runs (some
    /// microseconds), and the longest section.
    ///
    /// Inside a read-side section of the same domain this waits for ever. Not async-signal-safe.
    ///
    /// # Panics
    /// If the kernel begins to refuse `membarrier(2)` after the domain's first use, or at the
    /// first use, if the system has no memory for the counters.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.synchronize();
    /// ```
    pub fn synchronize(&self) {
        let (state, tasks) = self.tasks();
        let start = Instant::now();
        let round = state.grace_periods.rounds.join();
        state
            .grace_periods
            .wait(round, &Watch::blocking(state, tasks));
        tasks.counts.waited(start.elapsed());
        tasks.wake(round);
    }

    /// Runs `f` on a background thread after a grace period. The caller does not wait, and may be
    /// inside a read-side section. Callbacks of one domain run in the order in which they were
    /// queued. A panic in `f` is reported by the panic hook, and the others run.
    ///
    /// The thread starts at the first call and does not keep the process alive: what is queued
    /// when `main` returns does not run, unless [`Domain::barrier`] is called before. If no thread
    /// can be started, callbacks run in [`Domain::barrier`] or when the domain is dropped.
    ///
    /// Cost: an allocation and a lock. Not async-signal-safe.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.call(|| println!("all sections that were open are over"));
    /// domain.barrier();
    /// ```
    pub fn call(&self, f: impl FnOnce() + Send + 'static) {
        callbacks::call(self.tasks().1, Box::new(f));
    }

    /// Drops `value` on a background thread after a grace period: [`Domain::call`] with a
    /// callback that drops it.
    pub fn defer_drop<T: Send + 'static>(&self, value: T) {
        self.call(move || drop(value));
    }

    /// Waits until all callbacks queued on this domain before this call have run.
    ///
    /// Inside a read-side section of the same domain this waits for ever.
    ///
    /// # Panics
    /// If called by a callback.
    pub fn barrier(&self) {
        let (state, tasks) = self.tasks();
        callbacks::barrier(state, tasks);
    }

    /// What this domain has counted since its first use in this process.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// domain.synchronize();
    /// let stats = domain.stats();
    /// assert_eq!((stats.grace_periods, stats.callers), (1, 1));
    /// ```
    pub fn stats(&self) -> Stats {
        let state = self.state();
        let readers = &state.grace_periods.readers;
        let mut stats = Stats {
            grace_periods: state.grace_periods.rounds.done(),
            aborts: readers.aborts(),
            fallback_reads: readers.fallbacks(),
            ..Stats::default()
        };
        if let Some(tasks) = state.existing_tasks() {
            let (queued, run, peak) = tasks.queue.counts();
            stats.waits = tasks.counts.waits();
            stats.callers = stats.waits.count();
            stats.membarriers = tasks.counts.membarriers.load(Ordering::Relaxed);
            stats.stalls = tasks.counts.stalls.load(Ordering::Relaxed);
            stats.callbacks_queued = queued;
            stats.callbacks_run = run;
            stats.callbacks_pending = queued - run;
            stats.callbacks_peak = peak;
        }
        stats
    }

    /// The state, ready for grace periods, and what it has to do.
    pub(crate) fn tasks(&self) -> (&State, &Arc<Tasks>) {
        let state = self.state();
        (state, state.tasks(self.name))
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
            // SAFETY: `&mut self`: no guard borrows the domain, nobody calls it. After `close`
            // nobody else reaches the state any more.
            unsafe {
                if let Some(tasks) = state.as_ref().existing_tasks() {
                    callbacks::finish(state.as_ref(), tasks);
                    tasks.close();
                }
                trace::forget(state.as_ref());
                State::free(state);
            }
        }
    }
}

impl fmt::Display for Domain {
    /// The name, else the address of what the domain is made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "RCU domain \"{name}\""),
            None => write!(f, "RCU domain at {:p}", self.state.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An open read-side section of a [`Domain`]. Dropping it ends the section.
///
/// It may be dropped on another thread than the one that made it. Forgetting it leaves the
/// section open for ever: grace periods of that domain never end, which is not undefined
/// behaviour.
///
/// ```
/// let guard = urcu::read_lock();
/// std::thread::spawn(move || drop(guard)).join().unwrap();
/// urcu::synchronize();
/// ```
#[must_use = "the read-side section ends when the guard is dropped"]
pub struct ReadGuard<'d> {
    state: &'d State,
    token: Token,
    trace: Trace,
}

impl ReadGuard<'_> {
    /// Whether the section is one of the domain with this state.
    #[inline(always)]
    pub(crate) fn is_of(&self, state: &State) -> bool {
        self.trace.used();
        debug_assert!(
            self.state.grace_periods.readers.is_of_now(self.token),
            "a guard that was taken before a fork protects nothing in the child; take a new one"
        );
        ptr::eq(self.state, state)
    }

    /// For messages.
    pub(crate) fn address(&self) -> *const () {
        ptr::from_ref(self.state).cast()
    }
}

impl Drop for ReadGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.trace.end();
        self.state.grace_periods.readers.exit(self.token);
    }
}

impl fmt::Debug for ReadGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGuard")
            .field("domain", &self.address())
            .finish_non_exhaustive()
    }
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
    global_state().read_lock()
}

/// Waits for a grace period of the [`global`] domain; see [`Domain::synchronize`].
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
/// ```
/// urcu::defer_drop(vec![1, 2, 3]);
/// ```
pub fn defer_drop<T: Send + 'static>(value: T) {
    GLOBAL.defer_drop(value);
}

/// Waits until all callbacks queued on the [`global`] domain have run; see [`Domain::barrier`].
pub fn barrier() {
    GLOBAL.barrier();
}
