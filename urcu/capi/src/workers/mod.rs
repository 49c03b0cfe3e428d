//! Workers: threads that call the callbacks queued through them, in order. `struct call_rcu_data` is one.
//!
//! A callback goes to the worker of the calling thread, else to that of its CPU, else to the default one. As
//! long as nobody has asked for a default worker there is none, and the global domain's own background
//! thread calls what is queued.
//!
//! # Forks and freed handles
//! The memory of workers is never freed, and linked for ever in one list: [`Worker::claim`] takes one that is
//! free, or adds another. So there is no lock that a fork could leave held, and whoever still has a handle that
//! was freed finds a closed queue, and takes the default worker. In a child all queues are empty (what waited
//! is the parent's to call) and no worker has a thread; the next callback starts one.

mod barrier;
mod choice;
mod exported;
mod queue;
mod thread;
mod wait;

use core::ptr;
use core::time::Duration;
use core::sync::atomic::{
    AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, fence,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
};

use std::time::Instant;

pub(crate) use choice::call;
pub(crate) use barrier::barrier;
use queue::{Head, Pushed, Queue};

use crate::fork;
use crate::heads::{self, HeadFunction};

/// The states of a worker: `Worker::state`.
mod state {
    /// Nobody's; its queue is closed.
    pub(super) const FREE: u32 = 0;
    /// Somebody's, without a thread.
    pub(super) const IDLE: u32 = 1;
    /// Its thread is being started.
    pub(super) const STARTING: u32 = 2;
    pub(super) const RUNNING: u32 = 3;
    /// It hands over what is left, and becomes free.
    pub(super) const STOPPING: u32 = 4;
}

/// `struct call_rcu_data`.
#[derive(Debug)]
pub(crate) struct Worker {
    queue: Queue,
    /// The number of callbacks that wait in the queue, or are being called.
    pending: AtomicUsize,
    state: AtomicU32,
    /// The number of callbacks that may wait before whoever queues one waits a little.
    limit: AtomicUsize,
    /// 1 while the thread sleeps, or is about to; it sleeps on this word.
    asleep: AtomicU32,
    /// The thread's `pthread_t`, while it is running.
    thread: AtomicUsize,
    /// The CPU that the thread is to run on, if not negative.
    cpu: AtomicI32,
    /// 1 if queueing wakes nobody: the thread looks every 10 ms.
    polls: AtomicU32,
    /// The one that was added to the list before.
    next: *const Worker,
}

// SAFETY: `next` is written before the worker is published, and never again; the rest is atomic, or heads
// that whoever queues them lets any thread have.
unsafe impl Send for Worker {}
// SAFETY: `next` is written before the worker is published, and never again; the rest is atomic, or heads
// that whoever queues them lets any thread have.
unsafe impl Sync for Worker {}

/// The worker that was added last.
static ALL: AtomicPtr<Worker> = AtomicPtr::new(ptr::null_mut());

/// Returns all workers that there have ever been.
fn all() -> impl Iterator<Item = &'static Worker> {
    // SAFETY: null or a worker, which is never freed.
    let worker = |at: *const Worker| unsafe { at.as_ref::<'static>() };
    // Acquire: pairs with the release in `add`.
    core::iter::successors(worker(ALL.load(Acquire)), move |at| worker(at.next))
}

impl Worker {
    /// Returns a worker without a thread that was nobody's.
    fn claim(cpu: i32, polls: bool) -> &'static Worker {
        let free = all().find(|worker| {
            // Acquire: pairs with the release in `finish`, whose thread is done with the worker.
            worker
                .state
                .compare_exchange(state::FREE, state::IDLE, Acquire, Relaxed)
                .is_ok()
        });
        let worker = free.unwrap_or_else(Self::add);
        worker.cpu.store(cpu, Relaxed);
        worker.polls.store(u32::from(polls), Relaxed);
        worker.pending.store(0, Relaxed);
        worker.set_limit();
        worker.queue.open();
        worker
    }

    fn add() -> &'static Worker {
        let mut last = ALL.load(Relaxed);
        let worker = Box::into_raw(Box::new(Worker {
            queue: Queue::new(),
            pending: AtomicUsize::new(0),
            limit: AtomicUsize::new(0),
            state: AtomicU32::new(state::IDLE),
            asleep: AtomicU32::new(0),
            thread: AtomicUsize::new(0),
            cpu: AtomicI32::new(-1),
            polls: AtomicU32::new(0),
            next: last,
        }));
        // Release: pairs with the acquire in `all`.
        while let Err(other) = ALL.compare_exchange(last, worker, Release, Relaxed) {
            last = other;
            // SAFETY: not published yet.
            unsafe { (*worker).next = last };
        }
        // SAFETY: from a box that is never freed.
        unsafe { &*worker }
    }

    /// Queues a callback, and sees to it that a thread will call it. False if the worker is nobody's.
    ///
    /// # Safety
    /// As for [`Queue::push`].
    unsafe fn push(&'static self, head: *mut Head, function: HeadFunction) -> bool {
        // First, so that the worker never takes away more than there is.
        self.pending.fetch_add(1, Relaxed);
        // SAFETY: as the caller promises.
        let pushed = unsafe { self.queue.push(head, function) };
        if pushed == Pushed::Refused {
            self.pending.fetch_sub(1, Relaxed);
            return false;
        }
        if pushed == Pushed::First {
            self.wake();
        }
        self.ensure_thread();
        true
    }

    /// Takes the limit from the global domain's budget.
    fn set_limit(&self) {
        let budget = urcu::global().budget();
        let count = usize::try_from(budget.count).unwrap_or(usize::MAX);
        self.limit.store(count.min(budget.bytes / heads::BYTES).max(1), Relaxed);
    }

    /// Waits until less is pending than the budget allows, as long as that says at most. Not on a worker's
    /// thread, which may be the one that is to make room.
    fn wait_for_room(&self) {
        // Signed: a handle that is used while it is freed and given to another may leave one less than 0.
        let signed = |count: &AtomicUsize| count.load(Relaxed).cast_signed();
        let is_full = || signed(&self.pending) >= signed(&self.limit);
        if !is_full() || thread::is_any() {
            return;
        }
        self.set_limit();
        let begun = Instant::now();
        let patience = urcu::global().budget().patience;
        while is_full() && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Wakes the thread, which is to look at the queue or the state. One that looks by itself is never asleep.
    fn wake(&self) {
        // Either the thread, after its fence, sees what was stored before this, or this sees it asleep:
        // pairs with the fence in `sleep`.
        fence(SeqCst);
        if self.asleep.load(Relaxed) != 0 {
            self.asleep.store(0, Relaxed);
            wait::wake(&self.asleep);
        }
    }

    /// Has a thread started if there is none. Returns 0, or what kept it from starting.
    fn ensure_thread(&'static self) -> libc::c_int {
        if self.state.load(Acquire) != state::IDLE {
            return 0;
        }
        thread::start(self)
    }

    /// Returns whether nothing that was queued before this call is left, because there is no thread, nor anything
    /// that waits for one. (Whoever has queued something has had the thread started, or left it in the queue.)
    fn is_at_rest(&self) -> bool {
        self.queue.is_empty() && self.state.load(Acquire) == state::IDLE
    }

    /// Stops the worker, which hands over to the default one what it has not begun with. Returns when that is
    /// done; at once on the worker's own thread.
    fn free(&'static self) {
        loop {
            let is = self.state.load(Acquire);
            match is {
                // Not ours: freed twice.
                state::FREE => return,
                state::STOPPING => break,
                state::STARTING => {
                    // SAFETY: always allowed.
                    unsafe { libc::sched_yield() };
                }
                _ => {
                    let exchanged = self
                        .state
                        .compare_exchange(is, state::STOPPING, AcqRel, Relaxed);
                    match exchanged {
                        Ok(state::IDLE) => return self.finish(),
                        Ok(_) => break,
                        Err(_) => {}
                    }
                }
            }
        }
        self.wake();
        while !thread::is(self) && self.state.load(Acquire) == state::STOPPING {
            wait::wait(&self.state, state::STOPPING, Some(wait::LOOK));
        }
    }

    /// Hands over what is queued, and makes the worker nobody's.
    fn finish(&'static self) {
        let mut rest = self.queue.close();
        while let Some((head, function)) = rest.pop() {
            // SAFETY: a head that was queued, with the same promise, and taken out.
            unsafe { choice::call_by_default(head, function) };
        }
        // Release: pairs with the acquire in `claim`, `free` and `barrier`.
        self.state.store(state::FREE, Release);
        wait::wake(&self.state);
    }

    /// In a child of `fork`, which has none of the threads.
    fn in_child(&self) {
        self.thread.store(0, Relaxed);
        self.asleep.store(0, Relaxed);
        self.pending.store(0, Relaxed);
        match self.state.load(Relaxed) {
            state::FREE => {}
            state::STOPPING => {
                // Its callbacks are the parent's to call.
                let _ = self.queue.close();
                self.state.store(state::FREE, Relaxed);
            }
            _ => {
                self.queue.open();
                self.state.store(state::IDLE, Relaxed);
            }
        }
    }
}

/// Forgets what the parent's workers had to do.
pub(crate) fn in_child() {
    all().for_each(Worker::in_child);
}

/// Runs `f` until it is true; false if the process was forked meanwhile, and this is the child.
fn until(mut f: impl FnMut() -> bool) -> bool {
    let generation = fork::generation();
    while !f() {
        if fork::generation() != generation {
            return false;
        }
    }
    true
}
