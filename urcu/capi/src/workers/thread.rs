//! The thread of a worker.

use core::cell::Cell;
use core::ffi::c_void;
use core::mem::{MaybeUninit, size_of_val};
use core::ptr;
use core::sync::atomic::{
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};
use core::time::Duration;

use super::queue::Batch;
use super::{Worker, choice, state, wait};
use crate::fork;
use crate::uncancelled::uncancelled;

thread_local! {
    /// The worker whose thread this is, and the process's number: in a child the thread that forked is no
    /// worker's. Without a destructor: it is there as long as the thread is.
    static MINE: Cell<(*const Worker, u64)> = const { Cell::new((ptr::null(), 0)) };
}

/// The interval at which a worker that nobody wakes looks at its queue.
const POLLS: Duration = Duration::from_millis(10);

/// Returns whether this is the worker's thread.
pub(super) fn is(worker: &Worker) -> bool {
    is_any() && ptr::eq(MINE.get().0, worker)
}

/// Returns whether this is a worker's thread.
pub(super) fn is_any() -> bool {
    let (worker, generation) = MINE.get();
    !worker.is_null() && generation == fork::generation()
}

/// The arguments of a worker's thread.
struct Start {
    worker: &'static Worker,
    /// The signal mask of the thread that started this one. Callbacks run with it.
    mask: libc::sigset_t,
}

/// Sets the signal mask, and returns what it was.
fn set_mask(mask: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::uninit();
    // SAFETY: a valid mask, and room for the old one, which is filled: the call does not fail with these arguments.
    unsafe {
        libc::sigemptyset(before.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, mask, before.as_mut_ptr());
        before.assume_init()
    }
}

/// Returns the set of all signals except those that a thread's own instructions raise. Those must not be blocked.
fn asynchronous() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: the set is filled before it is used, and the numbers are those of signals.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for signal in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGTRAP,
            libc::SIGSYS,
            libc::SIGABRT,
        ] {
            libc::sigdelset(all.as_mut_ptr(), signal);
        }
        all.assume_init()
    }
}

/// Starts the thread of a worker that has none. Returns 0, or the error that kept it from starting. The worker then has
/// no thread, and the next caller tries again.
pub(super) fn start(worker: &'static Worker) -> libc::c_int {
    // Signals are blocked for two reasons. The new thread begins with this mask. And a signal handler that forked in
    // the middle of this would continue it in a child, where the worker's state is another one.
    let mask = set_mask(&asynchronous());
    let error = start_blocked(worker, mask);
    set_mask(&mask);
    error
}

fn start_blocked(worker: &'static Worker, mask: libc::sigset_t) -> libc::c_int {
    let exchanged =
        worker
            .state
            .compare_exchange(state::IDLE, state::STARTING, Acquire, Relaxed);
    if exchanged.is_err() {
        return 0;
    }
    let start = Box::into_raw(Box::new(Start { worker, mask }));
    let mut thread = 0;
    // SAFETY: the function takes the argument that it is given, which comes from a box.
    let error = unsafe { libc::pthread_create(&raw mut thread, ptr::null(), body, start.cast()) };
    if error == 0 {
        // SAFETY: the thread was just created. Nobody joins it: the worker's state tells when it has ended.
        unsafe { libc::pthread_detach(thread) };
        worker.thread.store(thread as usize, Relaxed);
        // Release: pairs with the acquire in `free` and `thread_of`.
        worker.state.store(state::RUNNING, Release);
    } else {
        // SAFETY: the argument comes from the box above, and no thread has taken it.
        drop(unsafe { Box::from_raw(start) });
        worker.state.store(state::IDLE, Release);
    }
    error
}

/// Returns the worker's thread, and starts it if there is none. Returns 0 if it cannot be started.
pub(super) fn thread_of(worker: &'static Worker) -> libc::pthread_t {
    while matches!(worker.state.load(Acquire), state::IDLE | state::STARTING) {
        if worker.ensure_thread() != 0 {
            return 0;
        }
        // SAFETY: this may always be called.
        unsafe { libc::sched_yield() };
    }
    worker.thread.load(Relaxed) as libc::pthread_t
}

extern "C" fn body(start: *mut c_void) -> *mut c_void {
    // SAFETY: the argument comes from `start_blocked`, which gave it to this thread alone.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    let Start { worker, mask } = *start;
    MINE.set((worker, fork::generation()));
    // Heads that callbacks queue on this thread come back to this worker.
    choice::set_of_thread(ptr::from_ref(worker).cast_mut());
    // SAFETY: the name is a C string of less than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"call_rcu".as_ptr()) };
    uncancelled(|| run(worker, &mask));
    ptr::null_mut()
}

/// Calls queued callbacks until the worker is stopped, or until something that forked returns in the child. There
/// this is an ordinary thread, and not the worker's.
fn run(worker: &'static Worker, mask: &libc::sigset_t) {
    let generation = fork::generation();
    while worker.state.load(Acquire) != state::STOPPING {
        let batch = worker.queue.take();
        if batch.is_empty() {
            sleep(worker);
            continue;
        }
        pin(worker);
        worker.set_limit();
        urcu::synchronize();
        if !call(worker, batch, mask, generation) {
            return;
        }
    }
    worker.finish();
}

/// Calls the callbacks of a batch, with the signal mask of a thread of the program, in the process of that
/// generation. Returns false in a child of that process, which a callback, a signal handler or a stall hook has
/// forked.
fn call(worker: &Worker, mut batch: Batch, mask: &libc::sigset_t, generation: u64) -> bool {
    let is_same = || fork::generation() == generation;
    let blocked = set_mask(mask);
    while is_same()
        && let Some((head, function)) = batch.pop()
    {
        // SAFETY: any thread may call the function after a grace period. One that began after the head was taken out of
        // the queue is over.
        unsafe { function(head.cast()) };
        if is_same() {
            worker.pending.fetch_sub(1, Relaxed);
        }
    }
    set_mask(&blocked);
    // From here on no handler forks.
    let goes_on = is_same();
    if !goes_on {
        // The thread ends, and with it the process: as one of the program's.
        set_mask(mask);
    }
    goes_on
}

/// Sleeps until the queue or the state has to be looked at.
fn sleep(worker: &Worker) {
    if worker.polls.load(Relaxed) != 0 {
        return wait::wait(&worker.asleep, 0, Some(POLLS));
    }
    worker.asleep.store(1, Relaxed);
    // Pairs with the fence in `wake`, where both cases are explained.
    fence(SeqCst);
    if worker.queue.is_empty() && worker.state.load(Relaxed) != state::STOPPING {
        wait::wait(&worker.asleep, 1, None);
    }
    worker.asleep.store(0, Relaxed);
}

/// Pins the thread to the worker's CPU, if the kernel allows that. The CPU may be off line, or not allowed for this
/// process.
fn pin(worker: &Worker) {
    let Ok(cpu) = usize::try_from(worker.cpu.load(Relaxed)) else {
        return;
    };
    if rseq_ops::current_cpu() as usize == cpu {
        return;
    }
    let bits = usize::BITS as usize;
    let mut mask = vec![0usize; cpu / bits + 1];
    mask[cpu / bits] = 1 << (cpu % bits);
    let bytes = size_of_val(mask.as_slice());
    // SAFETY: the set has as many bytes as the call is told.
    unsafe { libc::sched_setaffinity(0, bytes, mask.as_ptr().cast()) };
}
