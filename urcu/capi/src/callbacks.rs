//! Callbacks of the global domain.

use core::ffi::c_void;

use urcu::raw::RcuHead;

use crate::heads::{self, HeadFunction, PointerFunction};
use crate::uncancelled::uncancelled;
use crate::workers;

/// Has `function(head)` called after a grace period, by the worker of the thread or of its CPU, or by the default
/// worker.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_call_rcu(head: *mut RcuHead, function: HeadFunction) {
    // SAFETY: by the header's contract, the head lies in a node that nobody else uses any more after a grace
    // period, is queued only once, and `function` may be called with it on any thread.
    uncancelled(|| unsafe { workers::call(head, function) });
}

/// Waits until all callbacks queued before have run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_barrier() {
    uncancelled(workers::barrier);
}

/// Has `function(data)` called after a grace period, on any thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_defer_rcu(function: PointerFunction, data: *mut c_void) {
    // SAFETY: by the header's contract, `function` may be called with `data` once, on any thread.
    uncancelled(|| unsafe { heads::defer(urcu::global(), function, data) });
}

/// Waits until all functions that were deferred before, by any thread, have been called.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_barrier() {
    uncancelled(urcu::barrier);
}

/// Waits for all threads' deferred functions too, because those of one thread are not kept apart.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_barrier_thread() {
    uncancelled(urcu::barrier);
}

/// Does nothing, and cannot fail.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_register_thread() -> core::ffi::c_int {
    0
}

/// Waits until all deferred functions have been called. liburcu's call waits for those of this thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_defer_unregister_thread() {
    uncancelled(urcu::barrier);
}
