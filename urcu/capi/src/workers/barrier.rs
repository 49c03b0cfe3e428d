//! Waits for the callbacks of all workers.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::sync::Arc;

use urcu::raw::RcuHead;

use super::queue::Head;
use super::{Worker, all, choice, thread, until, wait};

/// A callback of the barrier's own. When a worker calls it, the callbacks queued before it have been called.
#[repr(C)]
struct Marker {
    /// The first field, so that its address is that of the marker.
    head: Head,
    /// The number of markers that have not arrived, plus 1 for the barrier itself.
    left: Arc<AtomicU32>,
}

unsafe extern "C" fn arrives(head: *mut RcuHead) {
    // SAFETY: the head is that of a marker from `send`, and this is called once for it.
    let marker = unsafe { Box::from_raw(head.cast::<Marker>()) };
    // Release: the effects of the callbacks before this one come before the end of the barrier.
    if marker.left.fetch_sub(1, AcqRel) == 1 {
        wait::wake(&marker.left);
    }
}

/// Sends a marker through a worker's queue, if there is anything to wait for. False if that is closed.
fn send(worker: &'static Worker, left: &Arc<AtomicU32>) -> bool {
    if worker.is_at_rest() {
        return true;
    }
    left.fetch_add(1, Relaxed);
    let marker = Box::into_raw(Box::new(Marker {
        head: Head::new(arrives),
        left: Arc::clone(left),
    }));
    // SAFETY: the head is the first field of a marker that comes from a box. The marker is the queue's until `arrives`
    // gets it.
    if unsafe { worker.push(marker.cast(), arrives) } {
        return true;
    }
    // SAFETY: the queue has refused the marker, so it is still ours.
    drop(unsafe { Box::from_raw(marker) });
    left.fetch_sub(1, Relaxed);
    false
}

/// Waits until all callbacks that were queued before have been called, on whichever worker they are.
///
/// # Panics
/// Panics on a worker's thread, which would wait for itself, and inside other callbacks.
pub(crate) fn barrier() {
    assert!(
        !thread::is_any(),
        "rcu_barrier in a callback would wait for itself"
    );
    let left = Arc::new(AtomicU32::new(0));
    // The default worker comes last, because the others may hand callbacks over to it. The domain's callbacks run
    // meanwhile.
    for worker in all() {
        if !choice::is_default(worker) {
            until(|| {
                if send(worker, &left) || !choice::is_handing_over(worker) {
                    return true;
                }
                wait::wait(&worker.state, super::state::STOPPING, Some(wait::LOOK));
                false
            });
        }
    }
    // A worker may have created the default worker meanwhile.
    if let Some(worker) = choice::existing_default() {
        send(worker, &left);
    }
    urcu::barrier();
    until(|| {
        // Acquire: pairs with `arrives`.
        let now = left.load(Acquire);
        if now != 0 {
            wait::wait(&left, now, Some(wait::LOOK));
            // This helps a worker whose thread could not be started.
            for worker in all() {
                worker.ensure_thread();
            }
        }
        now == 0
    });
}
