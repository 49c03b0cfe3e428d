//! Hooks that a program sets: for stalls, and for callbacks that panic.

use core::panic::AssertUnwindSafe;
use core::ptr;
use core::sync::atomic::AtomicPtr;
use std::sync::Arc;

use super::mutex::WipedLock;
use super::panics::discard;
use crate::sync::{Ordering, catch_unwind, const_fn, wiped};

/// A hook, or none. A forked child has its parent's hook.
pub(crate) struct Hook<F: ?Sized>(
    /// From `Box::into_raw`, or null. Changed and followed under the lock alone.
    AtomicPtr<Arc<F>>,
);

impl<F: ?Sized> Hook<F> {
    /// Returns no hook.
    pub(crate) const fn new() -> Self {
        Hook(AtomicPtr::new(ptr::null_mut()))
    }

    /// Returns the hook, which is user code: it must be called under no lock.
    pub(crate) fn get(&self) -> Option<Arc<F>> {
        // SAFETY: null or a box that goes only after it was replaced, under the same lock.
        locked(|| unsafe { self.0.load(Ordering::Relaxed).as_ref() }.cloned())
    }

    pub(crate) fn set(&self, hook: Option<Arc<F>>) {
        let new = hook.map_or(ptr::null_mut(), |hook| Box::into_raw(Box::new(hook)));
        let old = locked(|| self.0.swap(new, Ordering::Relaxed));
        if !old.is_null() {
            // Dropping a hook runs user code too, so it is done outside of the lock. SAFETY: from
            // `Box::into_raw`, and nobody else finds it any more.
            drop(unsafe { Box::from_raw(old) });
        }
    }
}

/// Runs `f` with `user`, an object of the program's, and drops that object: it may be the last owner of a
/// hook that was replaced meanwhile. Panics of either are caught.
pub(crate) fn use_up<T>(user: T, f: impl FnOnce(&T)) {
    // One after the other: a second panic while the first unwinds would end the process.
    let used = catch_unwind(AssertUnwindSafe(|| f(&user)));
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(user)));
    for payload in [used, dropped].into_iter().filter_map(Result::err) {
        discard(payload);
    }
}

/// Held while a hook is fetched or replaced.
pub(crate) struct Hooks(WipedLock);

impl Hooks {
    const_fn! {
        /// Returns a lock that is free.
        pub(crate) fn new() -> Self {
            Hooks(WipedLock::new())
        }
    }
}

wiped! {
    static HOOKS: Hooks
}

/// Runs `f` while no other thread fetches or replaces a hook.
fn locked<R>(f: impl Fn() -> R) -> R {
    HOOKS.prepared().0.with(f)
}
