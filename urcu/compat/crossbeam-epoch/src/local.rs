//! What one thread has of a collector: how many guards, and their section.
//!
//! All guards of a `Local` share one read-side section of the collector's domain: it begins with the first
//! of them and ends with the last, in whatever order they go.

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

/// A handle is there. Always set in thread-local data.
const HANDLE: usize = 1;
/// A guard was flushed.
const FLUSH: usize = 2;
/// A guard has waited for room in vain.
const WAITED: usize = 4;
/// One guard.
const GUARD: usize = 8;

/// The number of deferrals between two questions whether there is room; and the wait for it.
const ASK: u32 = 64;
const PATIENCE: Duration = Duration::from_millis(10);

/// The greatest number of callbacks that one `flush` runs, about.
const FLUSH_MAX: usize = 512;

/// See the module.
pub(crate) struct Local {
    /// Flags, and how many guards there are. The usual values, a handle with one guard or none, are compared
    /// with and stored as constants: a value that is made of the one that was loaded would make each guard
    /// wait for the one before it.
    state: Cell<usize>,
    /// The section, while there are guards.
    section: UnsafeCell<MaybeUninit<RawGuard>>,
    /// The number of uses beside those that `state` counts.
    holds: Cell<usize>,
    /// The number of deferrals, modulo the type's range.
    deferred: Cell<u32>,
    /// The domain of the collector. Beside it, because each guard that goes would ask which one that is:
    /// 3 % of a lookup in a skiplist.
    domain: NonNull<Domain>,
    collector: Collector,
}

thread_local! {
    /// Without a destructor: it is there as long as its thread.
    static LOCAL: ManuallyDrop<Local> = const { ManuallyDrop::new(Local::of_thread()) };
}

/// Makes a guard of the default collector.
#[inline(always)]
#[track_caller]
pub(crate) fn pin_thread() -> Guard {
    let local = LOCAL.with(|local| ptr::from_ref::<Local>(local));
    // SAFETY: the calling thread's, which is there as long as the thread, of this domain.
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

    /// Returns a thread's share in the default collector.
    const fn of_thread() -> Self {
        let domain = NonNull::from_ref(Collector::default_domain());
        Self::of(Collector::default_one(), domain)
    }

    /// `domain` is the collector's.
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
        // SAFETY: the collector's, which is in a static or in an `Arc` of which the collector is an owner,
        // so that it neither moves nor ends while the collector is there.
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
    /// By a pointer, which is the guard's: with it the memory is given back.
    ///
    /// # Safety
    /// `local` is there, and the calling thread's.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn pin(local: *const Local) -> Guard {
        // SAFETY: by the contract of this function.
        unsafe { Self::pin_in(local, (*local).domain()) }
    }

    /// The same where the domain is known.
    ///
    /// # Safety
    /// As for [`Local::pin`], and it is the domain of its collector.
    #[inline(always)]
    #[track_caller]
    unsafe fn pin_in(local: *const Local, domain: &Domain) -> Guard {
        // SAFETY: there, by the contract of this function; and it has just been counted.
        unsafe {
            (&*local).count(domain);
            Guard::new(local)
        }
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
            self.begin_slow(domain);
        }
    }

    /// Begins the section of the first guard, and fences.
    #[inline(always)]
    #[track_caller]
    fn begin(&self, domain: &Domain, state: usize) {
        /// Takes the guard back if the section cannot begin.
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
        // SAFETY: the thread's alone, and nobody refers to it.
        unsafe { (*self.section.get()).write(section) };
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn begin_slow(&self, domain: &Domain) {
        self.begin(domain, self.state.get() + GUARD);
    }

    /// Takes the section.
    ///
    /// # Safety
    /// There is one, and nobody takes it again.
    #[inline(always)]
    unsafe fn section(&self) -> ReadGuard<'_> {
        // SAFETY: written when the first guard was made, of this collector's domain; used once, by the
        // contract of this function.
        unsafe {
            let section = (*self.section.get()).assume_init_read();
            ReadGuard::from_raw(self.domain(), section)
        }
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
            unsafe { Self::unpin_slow(local) };
        }
    }

    /// For the last guard where there is more to do.
    ///
    /// # Safety
    /// As for [`Local::unpin`].
    #[cold]
    #[inline(never)]
    unsafe fn unpin_slow(local: *const Local) {
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
            self.domain().run_callbacks(0);
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
        if state >= 2 * GUARD {
            return false;
        }
        if state & (FLUSH | WAITED) != 0 {
            return true;
        }
        // SAFETY: there are guards, so there is a section, and it is put back; or stays there, if this
        // panics.
        unsafe {
            let mut section = ManuallyDrop::new(self.section());
            section.refresh();
            let section = ManuallyDrop::into_inner(section);
            (*self.section.get()).write(section.into_raw());
        }
        false
    }

    /// Does what can be done without waiting.
    pub(crate) fn flush(&self) {
        self.state.set(self.state.get() | FLUSH);
        self.domain().run_callbacks(FLUSH_MAX);
    }

    /// Has `f` run after a grace period, which stands for this many bytes.
    ///
    /// # Safety
    /// As for [`Domain::retire_fn`].
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

    /// Waits while the domain is over its budget, but not for long, and once for each section: it may be
    /// this section that the garbage waits for. (The domain itself does not wait: see `Collector::new`.)
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
