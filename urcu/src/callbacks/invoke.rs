//! Running callbacks, one frame for each batch.

use core::any::Any;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

use super::queue::{Batch, Queue};
use crate::sync::hook::{self, Hook};
use crate::sync::panics::discard;
use crate::sync::{self, catch_unwind, fork};

/// A batch of callbacks that this thread is running.
pub(super) struct Frame {
    pub(super) queue: *const Queue,
    pub(super) batch: Batch,
    /// The number of the next callback to run.
    next: Cell<usize>,
    /// The process that runs them. A child that one of them forks is not inside the callback.
    fork_generation: u64,
    outer: *const Frame,
}

sync::thread_local! {
    // It has no destructor, so it is there as long as the thread is.
    static FRAMES: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

/// Returns whether the calling thread is inside a callback.
pub(crate) fn inside_callback() -> bool {
    frames().next().is_some()
}

/// Returns the frames on this thread's stack, the innermost first.
pub(super) fn frames<'a>() -> impl Iterator<Item = &'a Frame> {
    let mut next = FRAMES.with(Cell::get);
    let all = core::iter::from_fn(move || {
        // SAFETY: frames are on this thread's stack, and take themselves off the list before they
        // go; whoever iterates is further in.
        let frame = unsafe { next.as_ref() }?;
        next = frame.outer;
        Some(frame)
    });
    all.filter(|frame| frame.is_current_process())
}

type PanicHook = dyn Fn(&(dyn Any + Send)) + Send + Sync;

static PANIC_HOOK: Hook<PanicHook> = Hook::new();

/// Sets a hook that is called with the payload when a callback has panicked.
///
/// The program's own panic hook runs first, and the remaining callbacks run afterwards. Without a hook,
/// nothing else happens.
///
/// ```
/// urcu::set_callback_panic_hook(|payload| eprintln!("{:?}", payload.downcast_ref::<&str>()));
/// ```
pub fn set_callback_panic_hook(hook: impl Fn(&(dyn Any + Send)) + Send + Sync + 'static) {
    PANIC_HOOK.set(Some(Arc::new(hook)));
}

pub(super) fn run(queue: &Queue, batch: Batch) {
    let frame = Frame {
        queue,
        batch,
        next: Cell::new(0),
        fork_generation: fork::generation(),
        outer: FRAMES.with(Cell::get),
    };
    FRAMES.with(|frames| frames.set(&raw const frame));
    frame.run_rest(queue);
    FRAMES.with(|frames| frames.set(frame.outer));
    if frame.is_current_process() {
        // SAFETY: all have run.
        unsafe { queue.finish(frame.batch) };
    }
}

impl Frame {
    fn is_current_process(&self) -> bool {
        self.fork_generation == fork::generation()
    }

    pub(super) fn run_rest(&self, queue: &Queue) {
        let part = self.batch.part();
        let rest = || {
            while self.next.get() < part.count() && self.is_current_process() {
                let number = self.next.replace(self.next.get() + 1);
                // SAFETY: each once, one after the other.
                unsafe { part.run(number) };
            }
        };
        while let Err(payload) = catch_unwind(AssertUnwindSafe(rest)) {
            report_panic(queue, payload);
        }
    }
}

#[cold]
fn report_panic(queue: &Queue, payload: Box<dyn Any + Send>) {
    queue.panicked.fetch_add(1, Relaxed);
    // No panic may pass here: the frame of whoever runs the callbacks is on the list.
    hook::use_up(PANIC_HOOK.get(), |hook| {
        if let Some(hook) = hook {
            hook(&*payload);
        }
    });
    discard(payload);
}
