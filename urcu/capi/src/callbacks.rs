//! Callbacks of the global domain.

use core::ffi::c_void;

use urcu::raw::RcuHead;

use crate::heads::{self, HeadFunction, PointerFunction};
use crate::uncancelled::uncancelled;
use crate::workers;

/// Has `function(head)` called after a grace period, by the worker of the thread or its CPU, or by the default one.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_call_rcu(head: *mut RcuHead, function: HeadFunction) {
    // SAFETY: by the header, the head is in a node that nobody else has any more after a grace period, is
    // queued this once, and `function` may be called with it on any thread.
    uncancelled(|| unsafe { workers::call(head, function) });
}

/// Waits until all callbacks queued before have run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_barrier() {
    uncancelled(workers::barrier);
}

/// Has `function(data)` called after a grace period, by whichever thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_defer_rcu(function: PointerFunction, data: *mut c_void) {
    // SAFETY: by the header, `function` may be called with `data` once, on any thread.
    uncancelled(|| unsafe { heads::defer(urcu::global(), function, data) });
}

/// Waits until all that was deferred before has been called: also what other threads have deferred.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_barrier() {
    uncancelled(urcu::barrier);
}

/// The same: what one thread has deferred is not kept apart.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_barrier_thread() {
    uncancelled(urcu::barrier);
}

/// Not needed, and cannot fail.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_register_thread() -> core::ffi::c_int {
    0
}

/// Waits for what was deferred, as liburcu's does for this thread's.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_unregister_thread() {
    uncancelled(urcu::barrier);
}
