//! [`Local`]: the guards of one thread in a collector.
//!
//! All guards of a `Local` share one read-side section of the collector's domain. It begins with the first guard and
//! ends with the last, in whatever order they are dropped.

use core::cell::{Cell, UnsafeCell};
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::time::Duration;
use std::thread;
use std::time::Instant;

use urcu::{Domain, RawGuard, ReadGuard};

use crate::collector::Collector;
use crate::fence;
use crate::guard::Guard;

/// Set while there is a handle. Always set in thread-local data.
const HANDLE: usize = 1;
/// Set when a guard was flushed.
const FLUSH: usize = 2;
/// Set when a guard has waited for room in vain.
const WAITED: usize = 4;
/// The amount that each guard adds.
const GUARD: usize = 8;

/// The number of deferrals after which a thread asks again whether there is room, and the time that it waits for room.
const ASK: u32 = 64;
const PATIENCE: Duration = Duration::from_millis(10);

/// About the largest number of callbacks that one `flush` runs.
const FLUSH_MAX: usize = 512;

/// The guards of one thread in a collector. See the module.
pub(crate) struct Local {
    /// Flags, and the number of guards. The usual values, a handle with one guard or none, are compared with and
    /// stored as constants. A value computed from the loaded one would make each guard wait for the one before it.
    state: Cell<usize>,
    /// The section, while there are guards.
    section: UnsafeCell<MaybeUninit<RawGuard>>,
    /// The number of uses beside those that `state` counts.
    holds: Cell<usize>,
    /// The number of deferrals, modulo the type's range.
    deferred: Cell<u32>,
    /// The domain of the collector. It is kept here because each drop of a guard would have to ask the collector for
    /// it, which takes 3 % of a lookup in a skiplist.
    domain: NonNull<Domain>,
    collector: Collector,
}

thread_local! {
    /// The thread's record for the default collector. It has no destructor, so it lives as long as its thread.
    static LOCAL: ManuallyDrop<Local> = const { ManuallyDrop::new(Local::of_thread()) };
}

/// Makes a guard of the default collector.
#[inline(always)]
#[track_caller]
pub(crate) fn pin_thread() -> Guard {
    let local = LOCAL.with(|local| ptr::from_ref::<Local>(local));
    // SAFETY: the record is the calling thread's, lives as long as the thread, and belongs to this domain.
    unsafe { Local::pin_in(local, Collector::default_domain()) }
}

/// Returns whether the calling thread has a guard of the default collector.
#[inline(always)]
pub(crate) fn is_thread_pinned() -> bool {
    LOCAL.with(|local| local.is_pinned())
}

impl Local {
    pub(crate) fn with_handle(collector: Collector) -> Self {
        let domain = NonNull::from_ref(collector.domain());
        Self::of(collector, domain)
    }

    /// Returns a thread's record for the default collector.
    const fn of_thread() -> Self {
        let domain = NonNull::from_ref(Collector::default_domain());
        Self::of(Collector::default_one(), domain)
    }

    /// Returns a record for `collector`, whose domain is `domain`.
    const fn of(collector: Collector, domain: NonNull<Domain>) -> Self {
        Local {
            state: Cell::new(HANDLE),
            section: UnsafeCell::new(MaybeUninit::uninit()),
            holds: Cell::new(0),
            deferred: Cell::new(0),
            domain,
            collector,
        }
    }

    #[inline(always)]
    pub(crate) fn domain(&self) -> &Domain {
        // SAFETY: the collector's domain is in a static, or in an `Arc` that the collector owns a share of. So it
        // neither moves nor ends while the collector is there.
        unsafe { self.domain.as_ref() }
    }

    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    #[inline(always)]
    pub(crate) fn is_pinned(&self) -> bool {
        self.state.get() >= GUARD
    }

    /// Makes a guard.
    ///
    /// Takes a pointer and not a reference, because the guard may free the memory through it.
    ///
    /// # Safety
    /// `local` is alive, and the calling thread's.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn pin(local: *const Local) -> Guard {
        // SAFETY: by the contract of this function.
        unsafe { Self::pin_in(local, (*local).domain()) }
    }

    /// Makes a guard, as [`Local::pin`] does, for callers that know the domain.
    ///
    /// # Safety
    /// The requirements of [`Local::pin`]. `domain` is the domain of the collector.
    #[inline(always)]
    #[track_caller]
    unsafe fn pin_in(local: *const Local, domain: &Domain) -> Guard {
        // SAFETY: by the contract of this function, the record is alive. The guard has just been counted.
        unsafe {
            (&*local).count(domain);
            Guard::new(local)
        }
    }

    /// Counts one more guard.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn count(&self, domain: &Domain) {
        let state = self.state.get();
        if state == HANDLE {
            self.begin(domain, HANDLE + GUARD);
        } else if state >= GUARD {
            self.state
                .set(state.checked_add(GUARD).expect("too many guards"));
        } else {
            self.begin_slow(domain);
        }
    }

    /// Begins the section of the first guard, and fences.
    #[inline(always)]
    #[track_caller]
    fn begin(&self, domain: &Domain, state: usize) {
        /// Uncounts the guard if the section cannot begin.
        struct Undo<'a>(&'a Cell<usize>);
        impl Drop for Undo<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - GUARD);
            }
        }
        fence::set_and_fence(&self.state, state);
        let undo = Undo(&self.state);
        let section = domain.read_lock().into_raw();
        mem::forget(undo);
        // SAFETY: the section is the thread's alone, and nobody has a reference to it.
        unsafe { (*self.section.get()).write(section) };
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn begin_slow(&self, domain: &Domain) {
        self.begin(domain, self.state.get() + GUARD);
    }

    /// Takes the section out.
    ///
    /// # Safety
    /// There is a section, and nobody takes it again.
    #[inline(always)]
    unsafe fn section(&self) -> ReadGuard<'_> {
        // SAFETY: the section was written when the first guard was made. It is one of this collector's domain and, by
        // the contract of this function, is used once.
        unsafe {
            let section = (*self.section.get()).assume_init_read();
            ReadGuard::from_raw(self.domain(), section)
        }
    }

    /// Uncounts a guard that is being dropped.
    ///
    /// # Safety
    /// `local` is alive, and the guard is counted in it. After this it is not.
    #[inline(always)]
    pub(crate) unsafe fn unpin(local: *const Local) {
        // SAFETY: by the contract of this function, the record is alive.
        let this = unsafe { &*local };
        let state = this.state.get();
        if state == HANDLE + GUARD {
            // SAFETY: the section is that of the last guard, which is this one.
            let section = unsafe { this.section() };
            this.state.set(HANDLE);
            drop(section);
        } else if state >= 2 * GUARD {
            this.state.set(state - GUARD);
        } else {
            // SAFETY: by the contract of this function.
            unsafe { Self::unpin_slow(local) };
        }
    }

    /// Uncounts the last guard if there is more to do than to end the section.
    ///
    /// # Safety
    /// The requirements of [`Local::unpin`].
    #[cold]
    #[inline(never)]
    unsafe fn unpin_slow(local: *const Local) {
        // SAFETY: the record is alive until its last use, which is `release` below.
        let this = unsafe { &*local };
        let state = this.state.get();
        this.hold();
        // SAFETY: the section is that of the last guard, which is this one.
        let section = unsafe { this.section() };
        this.state.set(state & HANDLE);
        drop(section);
        if state & FLUSH != 0 {
            this.advance();
        }
        // SAFETY: the hold is the one that this function has taken.
        unsafe { Self::release(local) };
    }

    /// Begins a grace period that is due, and ends grace periods that no guard keeps open. Runs no functions.
    fn advance(&self) {
        // The first call collects what was deferred, and the second one ends the grace period for which that waits.
        for _ in 0..2 {
            self.domain().run_callbacks(0);
        }
    }

    /// Keeps this record alive until `release`.
    pub(crate) fn hold(&self) {
        self.holds.set(self.holds.get() + 1);
    }

    /// Ends a hold. Frees the `Local` if that was its last use.
    ///
    /// # Safety
    /// The caller has a hold, and gives it up.
    pub(crate) unsafe fn release(local: *const Local) {
        // SAFETY: the record is alive, because the caller holds it.
        let this = unsafe { &*local };
        this.holds.set(this.holds.get() - 1);
        if this.holds.get() == 0 && this.state.get() & HANDLE == 0 && !this.is_pinned() {
            // SAFETY: the record comes from a box, because its handle is gone, and nobody uses it any more.
            drop(unsafe { Box::from_raw(local.cast_mut()) });
        }
    }

    /// Ends the use by the handle, which is being dropped.
    ///
    /// # Safety
    /// `local` comes from a box, and the caller owns its handle.
    pub(crate) unsafe fn release_handle(local: *const Local) {
        // SAFETY: the record is alive as long as its handle.
        let this = unsafe { &*local };
        this.hold();
        this.state.set(this.state.get() & !HANDLE);
        // SAFETY: the hold is the one that this function has taken.
        unsafe { Self::release(local) };
    }

    /// Renews the section of the only guard, if a grace period waits for it. Returns whether the caller must unpin
    /// and pin again instead, because there is more to do.
    ///
    /// # Safety
    /// A guard is counted, and nothing that was loaded with it is used any more.
    #[inline]
    #[track_caller]
    pub(crate) unsafe fn repin(&self) -> bool {
        let state = self.state.get();
        if state >= 2 * GUARD {
            return false;
        }
        if state & (FLUSH | WAITED) != 0 {
            return true;
        }
        // SAFETY: there are guards, so there is a section. It is put back, or stays in place if this panics.
        unsafe {
            let mut section = ManuallyDrop::new(self.section());
            section.refresh();
            let section = ManuallyDrop::into_inner(section);
            (*self.section.get()).write(section.into_raw());
        }
        false
    }

    /// Does all work that can be done without waiting.
    pub(crate) fn flush(&self) {
        self.state.set(self.state.get() | FLUSH);
        self.domain().run_callbacks(FLUSH_MAX);
    }

    /// Has `f` run after a grace period. `f` counts as this many bytes.
    ///
    /// # Safety
    /// The requirements of [`Domain::retire_fn`].
    #[inline]
    pub(crate) unsafe fn defer<F: FnOnce()>(&self, f: F, bytes: usize) {
        let deferred = self.deferred.get().wrapping_add(1);
        self.deferred.set(deferred);
        if deferred.is_multiple_of(ASK) {
            self.wait_for_room();
        }
        // SAFETY: by the contract of this function.
        unsafe { self.domain().retire_fn(f, bytes) };
    }

    /// Waits while the domain is over its budget. It waits only briefly, and once for each section, because the garbage
    /// may be waiting for this very section. (The domain itself does not wait: see `Collector::new`.)
    #[cold]
    fn wait_for_room(&self) {
        let domain = self.domain();
        if self.state.get() & WAITED != 0 || domain.has_room() {
            return;
        }
        let begun = Instant::now();
        while !domain.has_room() {
            if begun.elapsed() >= PATIENCE {
                self.state.set(self.state.get() | WAITED);
                break;
            }
            thread::sleep(PATIENCE / 20);
        }
    }
}
