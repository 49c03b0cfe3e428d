//! Workers: threads that call the callbacks queued through them, in order. `struct call_rcu_data` is one.
//!
//! A callback goes to the worker of the calling thread, else to that of its CPU, else to the default worker. Until
//! somebody asks for the default worker there is none, and the global domain's own background thread takes its place.
//!
//! # Forks and freed handles
//! The memory of a worker is never freed, and stays linked in one list. [`Worker::claim`] takes a free worker from the
//! list, or adds another. So there is no lock that a fork could leave held. A thread that uses a handle after it was
//! freed finds a closed queue, and uses the default worker.
//!
//! In a child all queues are empty, because the parent calls the callbacks that waited. No worker has a thread there;
//! the next callback starts one.

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
    /// Nobody has the worker. Its queue is closed.
    pub(super) const FREE: u32 = 0;
    /// Somebody has the worker, but it has no thread.
    pub(super) const IDLE: u32 = 1;
    /// The worker's thread is being started.
    pub(super) const STARTING: u32 = 2;
    pub(super) const RUNNING: u32 = 3;
    /// The worker hands over the callbacks that are left, and becomes free.
    pub(super) const STOPPING: u32 = 4;
}

/// `struct call_rcu_data`.
#[derive(Debug)]
pub(crate) struct Worker {
    queue: Queue,
    /// The number of callbacks that wait in the queue, or are being called.
    pending: AtomicUsize,
    state: AtomicU32,
    /// The number of callbacks that may wait. Beyond it, a thread that queues another waits for room.
    limit: AtomicUsize,
    /// 1 while the thread sleeps on this word, or is about to.
    asleep: AtomicU32,
    /// The thread's `pthread_t`, while it is running.
    thread: AtomicUsize,
    /// The CPU on which the thread should run, if not negative.
    cpu: AtomicI32,
    /// 1 if queueing does not wake the thread, which looks every 10 ms.
    polls: AtomicU32,
    /// The worker that was added to the list before this one.
    next: *const Worker,
}

// SAFETY: `next` is written before the worker is published, and never again. The rest is atomic, or consists of heads
// that any thread may have.
unsafe impl Send for Worker {}
// SAFETY: `next` is written before the worker is published, and never again. The rest is atomic, or consists of heads
// that any thread may have.
unsafe impl Sync for Worker {}

/// The worker that was added last.
static ALL: AtomicPtr<Worker> = AtomicPtr::new(ptr::null_mut());

/// Returns all workers that there have ever been.
fn all() -> impl Iterator<Item = &'static Worker> {
    // SAFETY: the pointer is null or leads to a worker. Workers are never freed.
    let worker = |at: *const Worker| unsafe { at.as_ref::<'static>() };
    // Acquire: pairs with the release in `add`.
    core::iter::successors(worker(ALL.load(Acquire)), move |at| worker(at.next))
}

impl Worker {
    /// Claims a worker that nobody has, and returns it. It has no thread yet.
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
            // SAFETY: the worker is not published yet.
            unsafe { (*worker).next = last };
        }
        // SAFETY: the worker comes from a box that is never freed.
        unsafe { &*worker }
    }

    /// Queues a callback, and makes sure that a thread will call it. Returns false if nobody has the worker.
    ///
    /// # Safety
    /// The requirements of [`Queue::push`].
    unsafe fn push(&'static self, head: *mut Head, function: HeadFunction) -> bool {
        // The callback is counted first, so that the worker never subtracts more than was added.
        self.pending.fetch_add(1, Relaxed);
        // SAFETY: the caller promises what `Queue::push` requires.
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

    /// Sets the limit from the global domain's budget.
    fn set_limit(&self) {
        let budget = urcu::global().budget();
        let count = usize::try_from(budget.count).unwrap_or(usize::MAX);
        self.limit.store(count.min(budget.bytes / heads::BYTES).max(1), Relaxed);
    }

    /// Waits until fewer callbacks are pending than the budget allows, but at most for the budget's patience. Does not
    /// wait on a worker's thread, which may be the one that has to make room.
    fn wait_for_room(&self) {
        // Signed: if a handle is used while it is freed and claimed again, the count may become negative.
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

    /// Wakes the thread, so that it looks at the queue or the state. A thread that looks every 10 ms needs no wake-up.
    fn wake(&self) {
        // Pairs with the fence in `sleep`. If the thread's fence comes first, we see that it is asleep; if ours comes
        // first, the thread sees what was stored before this.
        fence(SeqCst);
        if self.asleep.load(Relaxed) != 0 {
            self.asleep.store(0, Relaxed);
            wait::wake(&self.asleep);
        }
    }

    /// Starts the worker's thread if it has none. Returns 0, or the error that kept the thread from starting.
    fn ensure_thread(&'static self) -> libc::c_int {
        if self.state.load(Acquire) != state::IDLE {
            return 0;
        }
        thread::start(self)
    }

    /// Returns whether nothing that was queued before this call is left: the worker has no thread, and its queue is
    /// empty. (A caller that queues something either starts the thread, or leaves the callback in the queue.)
    fn is_at_rest(&self) -> bool {
        self.queue.is_empty() && self.state.load(Acquire) == state::IDLE
    }

    /// Stops the worker. It hands the callbacks that it has not begun with over to the default worker. Returns when
    /// that is done or, on the worker's own thread, at once.
    fn free(&'static self) {
        loop {
            let is = self.state.load(Acquire);
            match is {
                // The worker is not the caller's any more: it was freed twice.
                state::FREE => return,
                state::STOPPING => break,
                state::STARTING => {
                    // SAFETY: this may always be called.
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

    /// Hands over the callbacks that are queued, and makes the worker free.
    fn finish(&'static self) {
        let mut rest = self.queue.close();
        while let Some((head, function)) = rest.pop() {
            // SAFETY: the head was queued with the same requirements, and has been taken out of the queue.
            unsafe { choice::call_by_default(head, function) };
        }
        // Release: pairs with the acquire in `claim`, `free` and `barrier`.
        self.state.store(state::FREE, Release);
        wait::wake(&self.state);
    }

    /// Resets the worker in a child of `fork`, which has none of the parent's threads.
    fn in_child(&self) {
        self.thread.store(0, Relaxed);
        self.asleep.store(0, Relaxed);
        self.pending.store(0, Relaxed);
        match self.state.load(Relaxed) {
            state::FREE => {}
            state::STOPPING => {
                // The parent calls the callbacks that were queued.
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

/// Resets all workers in a child, and forgets the callbacks that were queued in the parent.
pub(crate) fn in_child() {
    all().for_each(Worker::in_child);
}

/// Runs `f` until it returns true. Returns false if the process was forked meanwhile, and this is the child.
fn until(mut f: impl FnMut() -> bool) -> bool {
    let generation = fork::generation();
    while !f() {
        if fork::generation() != generation {
            return false;
        }
    }
    true
}
