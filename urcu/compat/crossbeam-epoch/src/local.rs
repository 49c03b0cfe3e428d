//! What one thread has of a collector: how many guards, and their section.
//!
//! All guards of a `Local` share one read-side section of the collector's domain: it begins with the first
//! of them and ends with the last, in whatever order they go.

use core::cell::{Cell, UnsafeCell};
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ptr;

use urcu::{Domain, ReadGuard};

use crate::collector::Collector;
use crate::deferred::Deferred;
use crate::fence;
use crate::guard::Guard;

/// A handle is there. Always set in thread-local data.
const HANDLE: usize = 1;
/// A guard was flushed.
const FLUSH: usize = 2;
/// One guard.
const GUARD: usize = 4;

/// How much one `flush` runs at most, about.
const FLUSH_MAX: usize = 512;

/// See the module.
pub(crate) struct Local {
    /// Flags, and how many guards there are. The usual values, a handle with one guard or none, are compared
    /// with and stored as constants: a value that is made of the one that was loaded would make each guard
    /// wait for the one before it.
    state: Cell<usize>,
    /// The section, while there are guards.
    section: UnsafeCell<MaybeUninit<ReadGuard<'static>>>,
    /// How many uses there are beside those that `state` counts.
    holds: Cell<usize>,
    collector: Collector,
}

thread_local! {
    /// Without a destructor: it is there as long as its thread.
    static LOCAL: ManuallyDrop<Local> =
        const { ManuallyDrop::new(Local::with_handle(Collector::default_one())) };
}

/// Makes a guard of the default collector.
#[inline(always)]
#[track_caller]
pub(crate) fn pin_thread() -> Guard {
    let local = LOCAL.with(|local| ptr::from_ref::<Local>(local));
    // SAFETY: the calling thread's, which is there as long as the thread.
    unsafe { &*local }.pin_in(Collector::default_domain())
}

/// Whether the calling thread has a guard of the default collector.
#[inline(always)]
pub(crate) fn is_thread_pinned() -> bool {
    LOCAL.with(|local| local.is_pinned())
}

impl Local {
    pub(crate) const fn with_handle(collector: Collector) -> Self {
        Local {
            state: Cell::new(HANDLE),
            section: UnsafeCell::new(MaybeUninit::uninit()),
            holds: Cell::new(0),
            collector,
        }
    }

    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    #[inline(always)]
    pub(crate) fn is_pinned(&self) -> bool {
        self.state.get() >= GUARD
    }

    /// Makes a guard.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn pin(&self) -> Guard {
        self.pin_in(self.collector.domain())
    }

    /// The same where the domain is known.
    #[inline(always)]
    #[track_caller]
    fn pin_in(&self, domain: &Domain) -> Guard {
        self.count(domain);
        // SAFETY: it has just been counted.
        unsafe { Guard::new(self) }
    }

    /// Counts one guard more.
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
            self.begin_slowly(domain);
        }
    }

    /// Begins the section of the first guard, and fences.
    #[inline(always)]
    #[track_caller]
    fn begin(&self, domain: &Domain, state: usize) {
        let section = domain.read_lock();
        fence::full();
        // From here on a signal handler that pins finds a guard, whose section is open.
        self.state.set(state);
        // SAFETY: the thread's alone; nobody refers to it. The section ends before this goes, whose
        // collector has a share in the domain.
        unsafe {
            let section = mem::transmute::<ReadGuard<'_>, ReadGuard<'static>>(section);
            (*self.section.get()).write(section);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn begin_slowly(&self, domain: &Domain) {
        self.begin(domain, self.state.get() + GUARD);
    }

    /// Takes the section, to end it. There are no guards any more, which is stored after this.
    ///
    /// # Safety
    /// There is one, and nobody else takes it.
    #[inline(always)]
    unsafe fn section(&self) -> ReadGuard<'static> {
        // SAFETY: written when the first guard was made, and used once: by the contract of this function.
        unsafe { (*self.section.get()).assume_init_read() }
    }

    /// For a guard that goes.
    ///
    /// # Safety
    /// `local` is there, and the guard counts in it, which it does not any more.
    #[inline(always)]
    pub(crate) unsafe fn unpin(local: *const Local) {
        // SAFETY: by the contract of this function.
        let this = unsafe { &*local };
        let state = this.state.get();
        if state == HANDLE + GUARD {
            // SAFETY: of the last guard, which is this one.
            let section = unsafe { this.section() };
            this.state.set(HANDLE);
            drop(section);
        } else if state >= 2 * GUARD {
            this.state.set(state - GUARD);
        } else {
            // SAFETY: by the contract of this function.
            unsafe { Self::unpin_slowly(local) };
        }
    }

    /// For the last guard where there is more to do.
    ///
    /// # Safety
    /// As for [`Local::unpin`].
    #[cold]
    #[inline(never)]
    unsafe fn unpin_slowly(local: *const Local) {
        // SAFETY: there until the last use of it, which is `release` below.
        let this = unsafe { &*local };
        let state = this.state.get();
        this.hold();
        // SAFETY: of the last guard, which is this one.
        let section = unsafe { this.section() };
        this.state.set(state & HANDLE);
        drop(section);
        if state & FLUSH != 0 {
            this.advance();
        }
        // SAFETY: this function's hold.
        unsafe { Self::release(local) };
    }

    /// Begins a grace period that is due, and ends those that no guard keeps open, without running anything.
    fn advance(&self) {
        // One collects what was deferred, the other is what that waits for.
        for _ in 0..2 {
            self.collector.domain().run_callbacks(0);
        }
    }

    /// Keeps this until `release`.
    pub(crate) fn hold(&self) {
        self.holds.set(self.holds.get() + 1);
    }

    /// Ends a hold, and with the last use of it the `Local`.
    ///
    /// # Safety
    /// The hold is the caller's.
    pub(crate) unsafe fn release(local: *const Local) {
        // SAFETY: held.
        let this = unsafe { &*local };
        this.holds.set(this.holds.get() - 1);
        if this.holds.get() == 0 && this.state.get() & HANDLE == 0 && !this.is_pinned() {
            // SAFETY: from a box, because its handle is gone, and nobody uses it any more.
            drop(unsafe { Box::from_raw(local.cast_mut()) });
        }
    }

    /// The handle goes.
    ///
    /// # Safety
    /// `local` is from a box, and the handle the caller's.
    pub(crate) unsafe fn release_handle(local: *const Local) {
        // SAFETY: there as long as its handle.
        let this = unsafe { &*local };
        this.hold();
        this.state.set(this.state.get() & !HANDLE);
        // SAFETY: this function's hold.
        unsafe { Self::release(local) };
    }

    /// Renews the section of the only guard, if a grace period waits for it. Returns whether that is left to
    /// the caller, who is to unpin and pin again, because of what else there is to do.
    ///
    /// # Safety
    /// A guard counts, and nothing is used any more that was loaded with it.
    #[inline]
    #[track_caller]
    pub(crate) unsafe fn repin(&self) -> bool {
        let state = self.state.get();
        if state < 2 * GUARD && state & FLUSH == 0 {
            // SAFETY: there are guards, so there is a section; nobody else refers to it.
            unsafe { (*self.section.get()).assume_init_mut() }.refresh();
        }
        state < 2 * GUARD && state & FLUSH != 0
    }

    /// Does what can be done without waiting.
    pub(crate) fn flush(&self) {
        self.state.set(self.state.get() | FLUSH);
        self.collector.domain().run_callbacks(FLUSH_MAX);
    }

    /// Has this dropped after a grace period.
    #[inline]
    pub(crate) fn defer(&self, deferred: Deferred) {
        self.collector.domain().defer_drop(deferred);
    }
}
