//! Chooses the worker that calls a callback.

use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use urcu::raw::RcuHead;

use super::queue::Head;
use super::{Worker, state};
use crate::heads::{self, HeadFunction};
use crate::nesting::nesting;

/// The worker of callbacks that have no other worker. Null until somebody asks for it.
static DEFAULT: AtomicPtr<Worker> = AtomicPtr::new(ptr::null_mut());

/// The first of `possible_cpus()` pointers to the workers of CPUs. Null until a CPU's worker is set.
static OF_CPUS: AtomicPtr<AtomicPtr<Worker>> = AtomicPtr::new(ptr::null_mut());

fn existing(worker: *mut Worker) -> Option<&'static Worker> {
    // SAFETY: the pointer is null or leads to a worker. Workers are never freed.
    unsafe { worker.as_ref() }
}

pub(super) fn existing_default() -> Option<&'static Worker> {
    // Acquire: pairs with the exchange in `default_worker`.
    existing(DEFAULT.load(Acquire))
}

/// Returns the default worker, and creates it if there is none.
pub(super) fn default_worker() -> &'static Worker {
    if let Some(worker) = existing_default() {
        return worker;
    }
    let new = Worker::claim(-1, false);
    let address = ptr::from_ref(new).cast_mut();
    match DEFAULT.compare_exchange(ptr::null_mut(), address, AcqRel, Acquire) {
        Ok(_) => new,
        Err(other) => {
            new.free();
            existing(other).expect("it is not null")
        }
    }
}

/// Returns whether this is the default worker.
pub(super) fn is_default(worker: &Worker) -> bool {
    existing_default().is_some_and(|default| ptr::eq(default, worker))
}

fn of_cpus() -> &'static [AtomicPtr<Worker>] {
    // Acquire: pairs with the exchange in `of_cpus_or_new`.
    let first = OF_CPUS.load(Acquire);
    if first.is_null() {
        return &[];
    }
    // SAFETY: the table comes from `of_cpus_or_new`, and is never freed.
    unsafe { core::slice::from_raw_parts(first, rseq_ops::percpu::possible_cpus()) }
}

fn of_cpus_or_new() -> &'static [AtomicPtr<Worker>] {
    if of_cpus().is_empty() {
        let new: Box<[AtomicPtr<Worker>]> = (0..rseq_ops::percpu::possible_cpus())
            .map(|_| AtomicPtr::default())
            .collect();
        let new = Box::into_raw(new);
        let first = new.cast::<AtomicPtr<Worker>>();
        let exchanged = OF_CPUS.compare_exchange(ptr::null_mut(), first, AcqRel, Relaxed);
        if exchanged.is_err() {
            // SAFETY: the table comes from the box above, and was not published.
            drop(unsafe { Box::from_raw(new) });
        }
    }
    of_cpus()
}

/// Returns the worker of a CPU, if there is such a CPU and it has a worker.
pub(super) fn of_cpu(cpu: i32) -> Option<&'static Worker> {
    let place = of_cpus().get(usize::try_from(cpu).ok()?)?;
    // Acquire: pairs with the exchange in `set_of_cpu`.
    existing(place.load(Acquire))
}

/// Sets the worker of a CPU that has none, or takes the CPU's worker away.
///
/// # Errors
/// `EINVAL` if there is no such CPU, `EEXIST` if it has a worker.
pub(super) fn set_of_cpu(cpu: i32, worker: *mut Worker) -> Result<(), libc::c_int> {
    let place = usize::try_from(cpu).ok().and_then(|cpu| of_cpus_or_new().get(cpu));
    let place = place.ok_or(libc::EINVAL)?;
    if worker.is_null() {
        place.store(worker, Relaxed);
        return Ok(());
    }
    match place.compare_exchange(ptr::null_mut(), worker, AcqRel, Relaxed) {
        Ok(_) => Ok(()),
        Err(_) => Err(libc::EEXIST),
    }
}

/// Takes away the workers of all CPUs.
pub(super) fn take_of_cpus() -> Vec<&'static Worker> {
    let taken = of_cpus().iter();
    taken
        .filter_map(|place| existing(place.swap(ptr::null_mut(), AcqRel)))
        .collect()
}

/// Returns the worker that the calling thread was given.
pub(super) fn of_thread() -> Option<&'static Worker> {
    existing(nesting().worker.load(Relaxed).cast::<Worker>())
}

/// Gives the calling thread a worker, or none.
pub(super) fn set_of_thread(worker: *mut Worker) {
    nesting().worker.store(worker.cast(), Relaxed);
}

/// Returns the worker that the calling thread was given, or that of its CPU, if there is one.
pub(super) fn of_caller() -> Option<&'static Worker> {
    of_thread().or_else(|| {
        if of_cpus().is_empty() {
            return None;
        }
        of_cpu(i32::try_from(rseq_ops::current_cpu()).ok()?)
    })
}

/// Has `function(head)` called after a grace period, by the worker of the calling thread.
///
/// # Safety
/// The requirements of [`heads::call`].
pub(crate) unsafe fn call(head: *mut RcuHead, function: HeadFunction) {
    for worker in [of_caller(), existing_default()].into_iter().flatten() {
        // A child may have no room for a thread: then it is the domain's to call, and `barrier` can help.
        if worker.ensure_thread() != 0 {
            continue;
        }
        worker.wait_for_room();
        // SAFETY: the caller promises that the head's two words are ours until the function is called.
        if unsafe { worker.push(head.cast(), function) } {
            return;
        }
    }
    // SAFETY: the caller promises what `heads::call` requires.
    unsafe { heads::call(urcu::global(), head, function) };
}

/// Has a callback that a stopping worker leaves behind called by the default worker.
///
/// # Safety
/// The requirements of [`heads::call`].
pub(super) unsafe fn call_by_default(head: *mut Head, function: HeadFunction) {
    // SAFETY: the caller promises what `heads::call` requires.
    let pushed = unsafe { default_worker().push(head, function) };
    // The default worker is never freed.
    assert!(pushed, "the default worker takes callbacks");
}

/// Returns whether a barrier that has found the worker's queue closed must wait for the worker, because it is still
/// handing its callbacks over.
pub(super) fn is_handing_over(worker: &Worker) -> bool {
    // Acquire: pairs with the release in `finish`: the callbacks that the worker handed over are in the default
    // worker's queue.
    worker.state.load(Acquire) == state::STOPPING
}
