//! Domains, and the guards of their read-side sections.

use core::fmt;
use core::mem::size_of;
use core::num::NonZeroUsize;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use rseq_ops::percpu::Area;

use crate::callbacks::{self, Queue};
use crate::grace_period::GracePeriods;
use crate::machine::STRIDE;
use crate::readers::{Readers, Token};

/// What a domain is made of. It never moves while the domain lives, unlike the [`Domain`], so that
/// guards and the callback thread can refer to it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) grace_periods: GracePeriods,
    pub(crate) queue: Queue,
}

impl State {
    const fn new() -> Self {
        State {
            grace_periods: GracePeriods::new(),
            queue: Queue::new(),
        }
    }

    /// A new state in the header of an area, its readers set up with the rest of that area.
    fn in_area() -> NonNull<State> {
        let area = area(size_of::<State>());
        let base = area.base().as_ptr().expose_provenance();
        let state = area.into_header().cast::<State>();
        const { assert!(align_of::<State>() <= 4096) };
        // SAFETY: the header has the size, and a page's alignment; nobody else knows it yet.
        unsafe {
            state.write(State::new());
            state.as_ref().grace_periods.readers.set_up(base);
        }
        state
    }

    /// # Safety
    /// `state` is from [`State::in_area`] and nobody uses it any more.
    unsafe fn free(state: NonNull<State>) {
        // SAFETY: the caller's.
        unsafe {
            state.drop_in_place();
            drop(Area::from_header(state.cast(), size_of::<State>(), STRIDE));
        }
    }

    /// Sets the readers up. Only the global domain's are not from the start.
    #[cold]
    #[inline(never)]
    fn set_up(&self) {
        let area = area(0);
        if self
            .grace_periods
            .readers
            .set_up(area.base().as_ptr().expose_provenance())
        {
            // The global domain's memory stays to the end of the process.
            area.into_header();
        }
    }

    pub(crate) fn synchronize(&self) {
        if !self.grace_periods.readers.is_set_up() {
            self.set_up();
        }
        self.grace_periods.synchronize();
    }

    #[inline(always)]
    pub(crate) fn read_lock(&self) -> ReadGuard<'_> {
        let token = match self.grace_periods.readers.enter() {
            Some(token) => token,
            None => Readers::slow_token(self.read_lock_slowly()),
        };
        ReadGuard { state: self, token }
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

fn area(header: usize) -> Area {
    Area::new(header, STRIDE).unwrap_or_else(|error| panic!("no memory for an RCU domain: {error}"))
}

/// The state of [`global`].
pub(crate) static GLOBAL_STATE: State = State::new();

static GLOBAL: Domain = Domain {
    state: AtomicPtr::new((&raw const GLOBAL_STATE).cast_mut()),
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
        let made = State::in_area();
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
        self.state().synchronize();
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
        callbacks::call(self.state(), Box::new(f));
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
        callbacks::barrier(self.state());
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
            // SAFETY: `&mut self`: no guard borrows the domain, nobody calls it. After `finish`
            // the callback thread does not know the state any more.
            unsafe {
                callbacks::finish(state.as_ref());
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
}

impl ReadGuard<'_> {
    /// Whether the section is one of the domain with this state.
    #[inline(always)]
    pub(crate) fn is_of(&self, state: &State) -> bool {
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
pub fn read_lock() -> ReadGuard<'static> {
    GLOBAL_STATE.read_lock()
}

/// Waits for a grace period of the [`global`] domain; see [`Domain::synchronize`].
pub fn synchronize() {
    GLOBAL_STATE.synchronize();
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
