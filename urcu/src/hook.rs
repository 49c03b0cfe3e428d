//! What a program sets to be told of something: of stalls, of callbacks that panic.

use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::time::Duration;
use std::sync::Arc;

use crate::fork;
use crate::machine::{self, Ordering};

/// A hook, or none. A child has its parent's.
pub(crate) struct Hook<F: ?Sized>(
    /// From `Box::into_raw`, or null. Changed and followed by [`locked`] alone.
    AtomicPtr<Arc<F>>,
);

impl<F: ?Sized> Hook<F> {
    /// None.
    pub(crate) const fn new() -> Self {
        Hook(AtomicPtr::new(ptr::null_mut()))
    }

    /// To be called without a lock: it is a user's code.
    pub(crate) fn get(&self) -> Option<Arc<F>> {
        // SAFETY: null or a box that goes only after it was replaced, under the same lock.
        locked(|| unsafe { self.0.load(Ordering::Relaxed).as_ref() }.cloned())
    }

    pub(crate) fn set(&self, hook: Option<Arc<F>>) {
        let new = hook.map_or(ptr::null_mut(), |hook| Box::into_raw(Box::new(hook)));
        let old = locked(|| self.0.swap(new, Ordering::Relaxed));
        if !old.is_null() {
            // A user's code too.
            // SAFETY: from `Box::into_raw`, and nobody else finds it any more.
            drop(unsafe { Box::from_raw(old) });
        }
    }
}

/// Does it with all hooks for itself. A child that is forked while another thread has them finds the
/// lock free, because it is wiped. It is not forked by a handler that interrupts this thread here,
/// which in the child would go on without the lock.
fn locked<R>(f: impl Fn() -> R) -> R {
    fork::incarnation();
    let lock = &machine::process().hook_lock;
    loop {
        let result = machine::without_signals(|| {
            // Acquire: pairs with the release below: what was done with the hooks before.
            lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                .ok()?;
            #[cfg(feature = "delay-injection")]
            crate::testing::locked();
            let result = f();
            lock.store(0, Ordering::Release);
            Some(result)
        });
        match result {
            Some(result) => return result,
            None => machine::thread::sleep(Duration::from_micros(50)),
        }
    }
}
