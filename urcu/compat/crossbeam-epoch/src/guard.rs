//! [`Guard`], and deferred functions.

use core::fmt;
use core::mem;
use core::ptr;

use crate::collector::Collector;
use crate::local::Local;
use crate::owned::Pointer;
use crate::pointable::{Pointable, untagged};
use crate::shared::Shared;

/// A guard that keeps the thread pinned: as long as it lives, nothing that could be reached when it was made is freed.
///
/// A thread, or a handle, may have several guards. They act like a single guard that lives as long as any of them. A
/// guard cannot be moved to another thread.
///
/// ```
/// use std::sync::atomic::Ordering::{Acquire, Relaxed};
/// use crossbeam_epoch::{self as epoch, Atomic, Shared};
///
/// let link = Atomic::new("old");
/// let guard = epoch::pin();
/// let seen = link.load(Acquire, &guard);
///
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let guard = epoch::pin();
///         let old = link.swap(Shared::null(), Relaxed, &guard);
///         // SAFETY: a thread that pins from now on cannot reach it.
///         unsafe { guard.defer_destroy(old) };
///     });
/// });
/// // SAFETY: it was reachable when the thread was pinned.
/// assert_eq!(unsafe { seen.as_ref() }, Some(&"old"));
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<crossbeam_epoch::Guard>();
/// ```
pub struct Guard {
    /// The thread's record, in which the guard is counted. Null for the guard of [`unprotected`].
    local: *const Local,
}

impl Guard {
    /// # Safety
    /// Creates a guard, which is already counted in `local`.
    #[inline(always)]
    pub(crate) unsafe fn new(local: *const Local) -> Guard {
        Guard { local }
    }

    #[inline(always)]
    fn local(&self) -> Option<&Local> {
        // SAFETY: the pointer is null, or the record lives as long as a guard is counted in it.
        unsafe { self.local.as_ref() }
    }

    /// Runs `f` when all guards of the collector that exist now are dropped.
    ///
    /// Returns at once, unless the collector is over its [budget](urcu::Budget).
    ///
    /// `f` may run on any thread. Usually it runs on the background thread `urcu-callbacks`, soon after the guards are
    /// dropped. Before that, it may run on a thread that defers or flushes, perhaps inside that call. So `f` must not
    /// take a lock that such a thread may hold. A panic in `f` goes to the panic hook and no further.
    ///
    /// With an [`unprotected`] guard, `f` runs at once.
    ///
    /// ```
    /// use crossbeam_epoch as epoch;
    ///
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// epoch::pin().defer(move || sender.send("no guard is left"));
    /// // No other call is needed.
    /// assert_eq!(receiver.recv(), Ok("no guard is left"));
    /// ```
    #[inline]
    pub fn defer<F, R>(&self, f: F)
    where
        F: FnOnce() -> R,
        F: Send + 'static,
    {
        // SAFETY: the bounds of `F` and `R` guarantee what `defer_unchecked` requires.
        unsafe { self.defer_unchecked(f) }
    }

    /// Does what [`Guard::defer`] does, but the compiler does not check that `f` is `Send` and `'static`.
    ///
    /// # Safety
    /// `f` may run on another thread, and everything that it refers to stays valid until it has run.
    ///
    /// # Cost
    /// Some tens of nanoseconds, and an allocation if `f` is larger than two words.
    ///
    /// ```
    /// use crossbeam_epoch::{self as epoch, Owned};
    ///
    /// let guard = epoch::pin();
    /// let node = Owned::new(5).into_shared(&guard);
    /// // SAFETY: nobody else has the node, and an `i32` may be dropped by any thread.
    /// unsafe { guard.defer_unchecked(move || node.into_owned()) };
    /// ```
    #[inline]
    pub unsafe fn defer_unchecked<F, R>(&self, f: F)
    where
        F: FnOnce() -> R,
    {
        // SAFETY: by the contract of this function.
        unsafe { self.run_later(move || drop(f()), size_of::<F>()) };
    }

    /// Drops the value that a pointer points to when all guards of the collector that exist now are dropped: see
    /// [`Guard::defer`]. With an [`unprotected`] guard, drops it at once.
    ///
    /// # Safety
    /// The pointer is not null. A thread that pins from now on cannot reach the value. Nobody else drops the value, and
    /// another thread may drop it.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Shared};
    ///
    /// let link = Atomic::new(String::from("old"));
    /// let guard = epoch::pin();
    /// let old = link.swap(Shared::null(), SeqCst, &guard);
    /// // SAFETY: it is not linked any more, and was swapped out once.
    /// unsafe { guard.defer_destroy(old) };
    /// assert_eq!(unsafe { old.deref() }, "old");
    /// ```
    #[inline]
    pub unsafe fn defer_destroy<T: ?Sized + Pointable>(&self, ptr: Shared<'_, T>) {
        let address = untagged::<T>(ptr.into_usize());
        debug_assert_ne!(address, 0, "a null pointer points to nothing");
        // SAFETY: by the contract of this function, the value is alive, others have at most shared references to it,
        // nobody else drops it, and nobody can reach it when the function runs.
        unsafe {
            let bytes = size_of_val(T::deref(address));
            self.run_later(move || T::drop(address), bytes);
        }
    }

    /// # Safety
    /// The requirements of [`Guard::defer_unchecked`].
    #[inline]
    unsafe fn run_later<F: FnOnce()>(&self, f: F, bytes: usize) {
        match self.local() {
            None => f(),
            // SAFETY: by the contract of this function.
            Some(local) => unsafe { local.defer(f, bytes) },
        }
    }

    /// Runs deferred functions that wait for no guard any more, about 512 at most, and has the others run as soon as
    /// possible. Never waits for a guard.
    ///
    /// Two calls of `pin().flush()` run everything that this thread deferred before, if the collector has no other
    /// guard meanwhile, and if the background thread is not running it already. Does nothing with an [`unprotected`]
    /// guard.
    ///
    /// There is seldom a reason to call this: deferred functions run within milliseconds without it.
    ///
    /// ```
    /// use crossbeam_epoch as epoch;
    ///
    /// epoch::pin().defer(|| println!("soon"));
    /// epoch::pin().flush();
    /// ```
    pub fn flush(&self) {
        if let Some(local) = self.local() {
            local.flush();
        }
    }

    /// Renews the guard if it is the only one, so that functions that were deferred before can run. Does nothing with
    /// an [`unprotected`] guard.
    ///
    /// Unlike [`pin`](crate::pin), this is not a fence.
    ///
    /// # Cost
    /// One comparison, unless a grace period waits for the guard.
    ///
    /// ```
    /// use crossbeam_epoch as epoch;
    ///
    /// let mut guard = epoch::pin();
    /// for number in 0..1000 {
    ///     guard.defer(move || drop(number));
    ///     guard.repin();
    /// }
    /// ```
    ///
    /// ```compile_fail,E0502
    /// use std::sync::atomic::Ordering::SeqCst;
    ///
    /// let link = crossbeam_epoch::Atomic::new(5);
    /// let mut guard = crossbeam_epoch::pin();
    /// let seen = link.load(SeqCst, &guard);
    /// guard.repin();
    /// assert!(!seen.is_null());
    /// ```
    #[inline]
    #[track_caller]
    pub fn repin(&mut self) {
        // SAFETY: the guard is counted, and `&mut self` shows that nothing is borrowed from it.
        let left = self.local().is_some_and(|local| unsafe { local.repin() });
        if left {
            self.repin_after(|| ());
        }
    }

    /// Runs `f` without this guard. If the guard is the only one, the thread is not pinned while `f` runs, and is
    /// pinned again afterwards, also if `f` panics. With an [`unprotected`] guard, only runs `f`.
    ///
    /// ```
    /// use crossbeam_epoch as epoch;
    ///
    /// let mut guard = epoch::pin();
    /// guard.repin_after(|| assert!(!epoch::is_pinned()));
    /// assert!(epoch::is_pinned());
    /// ```
    #[track_caller]
    pub fn repin_after<F, R>(&mut self, f: F) -> R
    where
        F: FnOnce() -> R,
    {
        let Some(local) = self.local() else {
            return f();
        };
        local.hold();
        // While the guard is not counted, it is like that of `unprotected`, so a panic does not subtract it twice.
        let local = mem::replace(&mut self.local, ptr::null());
        // SAFETY: the guard was counted until now.
        unsafe { Local::unpin(local) };
        let _again = PinAgain { guard: self, local };
        f()
    }

    /// Returns the collector, or `None` for an [`unprotected`] guard.
    ///
    /// ```
    /// use crossbeam_epoch as epoch;
    ///
    /// assert_eq!(epoch::pin().collector(), Some(epoch::default_collector()));
    /// // SAFETY: nothing is loaded with this guard.
    /// assert_eq!(unsafe { epoch::unprotected() }.collector(), None);
    /// ```
    pub fn collector(&self) -> Option<&Collector> {
        self.local().map(Local::collector)
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.local.is_null() {
            // SAFETY: a guard that is not that of `unprotected` is counted.
            unsafe { Local::unpin(self.local) };
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Guard { .. }")
    }
}

/// Pins a guard that was unpinned again, and ends the hold on its record.
struct PinAgain<'a> {
    guard: &'a mut Guard,
    local: *const Local,
}

impl Drop for PinAgain<'_> {
    fn drop(&mut self) {
        // SAFETY: the record is held since this value was made, and that hold ends here. If no section can begin (in a
        // forked child without memory), this panics, and the guard stays uncounted.
        unsafe {
            let counted = &*self.local;
            counted.count(counted.domain());
            self.guard.local = self.local;
            Local::release(self.local);
        }
    }
}

/// Returns a guard that protects nothing. It is for code that has a structure for itself, such as a constructor or a
/// destructor. What is deferred with this guard runs at once.
///
/// # Safety
/// Pointers that are loaded with this guard are followed only if nobody else changes or frees their targets meanwhile.
///
/// ```
/// use std::sync::atomic::Ordering::Relaxed;
/// use crossbeam_epoch::{self as epoch, Atomic};
///
/// struct Node { next: Atomic<Node> }
/// struct List { head: Atomic<Node> }
///
/// impl Drop for List {
///     fn drop(&mut self) {
///         // SAFETY: `&mut self`: nobody else has the list.
///         unsafe {
///             let guard = epoch::unprotected();
///             let mut node = self.head.load(Relaxed, guard);
///             while let Some(owned) = node.try_into_owned() {
///                 node = owned.next.load(Relaxed, guard);
///             }
///         }
///     }
/// }
/// # drop(List { head: Atomic::new(Node { next: Atomic::new(Node { next: Atomic::null() }) }) });
/// ```
#[inline]
pub unsafe fn unprotected() -> &'static Guard {
    struct Nobodys(Guard);
    // SAFETY: the guard belongs to no thread. All that it does is to run functions on the calling thread.
    unsafe impl Sync for Nobodys {}
    static UNPROTECTED: Nobodys = Nobodys(Guard { local: ptr::null() });
    &UNPROTECTED.0
}
