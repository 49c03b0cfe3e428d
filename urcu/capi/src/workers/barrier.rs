//! Waiting for the callbacks of all workers.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::sync::Arc;

use urcu::raw::RcuHead;

use super::queue::Head;
use super::{Worker, all, choice, thread, until, wait};

/// A callback that tells that those queued before it have been called.
#[repr(C)]
struct Marker {
    /// The first, so that its address is the marker's.
    head: Head,
    /// The number of markers on their way, and the barrier itself.
    left: Arc<AtomicU32>,
}

unsafe extern "C" fn arrives(head: *mut RcuHead) {
    // SAFETY: of a marker of `send`, called once.
    let marker = unsafe { Box::from_raw(head.cast::<Marker>()) };
    // Release: what the callbacks before this one did comes before the end of the barrier.
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
    // SAFETY: from a box, whose first part is the head, and which is the queue's until `arrives` has it.
    if unsafe { worker.push(marker.cast(), arrives) } {
        return true;
    }
    // SAFETY: refused, so still ours.
    drop(unsafe { Box::from_raw(marker) });
    left.fetch_sub(1, Relaxed);
    false
}

/// Waits until all callbacks that were queued before have been called, by whatever worker.
///
/// # Panics
/// On a worker's thread, which would wait for itself, and inside other callbacks.
pub(crate) fn barrier() {
    assert!(
        !thread::is_any(),
        "rcu_barrier in a callback would wait for itself"
    );
    let left = Arc::new(AtomicU32::new(0));
    // The default worker comes after those that may hand over to it, the domain's callbacks run meanwhile.
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
    // A worker may have made it meanwhile.
    if let Some(worker) = choice::existing_default() {
        send(worker, &left);
    }
    urcu::barrier();
    until(|| {
        // Acquire: pairs with `arrives`.
        let now = left.load(Acquire);
        if now != 0 {
            wait::wait(&left, now, Some(wait::LOOK));
            // Of one whose thread could not be started.
            for worker in all() {
                worker.ensure_thread();
            }
        }
        now == 0
    });
}
