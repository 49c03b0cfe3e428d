//! How the library starts threads of its own, and how a user's code runs on them.
//!
//! A new thread inherits the signal mask, the CPUs and the scheduling policy of whoever creates it, and
//! that is whichever thread of the program first needed one of ours. So
//! * asynchronous signals are blocked outside a user's code: the program's handlers are not for
//!   threads that the program does not know;
//! * a user's code ([`as_user`]) runs with the mask that the program's thread had, and so does what
//!   it starts in turn, threads and processes;
//! * signals that a thread's own instructions raise are never blocked by us: they are for fault
//!   handlers, crash reporters, and the message about a stack that has overflowed;
//! * CPUs, policy and nice value are the process's, not the creator's;
//! * a forked child's threads need no lock of the standard library's ([`forked`]).

use core::cell::Cell;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::sync;
use crate::sync::hook::{self, Hook};
use crate::sync::panics::discard;
use crate::sync::{as_user, signals};

#[cfg(all(target_os = "linux", not(miri)))]
mod forked;

/// Settings of the threads that this library starts: the size of their stacks, and a function that each
/// runs first. See [`set_threads`].
///
/// # Stack size
/// A larger stack is needed for destructors that recurse deeply, as the destructor of a long linked list
/// does. The size in bytes is, in this order: that of [`stack_size`](Threads::stack_size); the environment
/// variable `URCU_MIN_STACK`; `RUST_MIN_STACK`; 2 MiB. The variables count as they were when the process
/// started. A value of `URCU_MIN_STACK` that is not a number is reported, as [stalls](crate::stall) are by
/// default.
///
/// Callbacks and destructors also run on the program's own threads, which these settings do not reach:
/// inside [`barrier`](crate::barrier), where a domain is dropped, and (destructors) where values are
/// retired. For a deep structure use [`Domain::call`](crate::Domain::call) or
/// [`Runner::OwnThread`](crate::Runner::OwnThread), and do not call `barrier` on a small stack.
///
/// # Scheduling
/// A thread of this library inherits nothing from the thread that happens to start it. It begins with the
/// normal scheduling policy (`SCHED_OTHER`), with the nice value of the main thread, and on all CPUs that
/// some thread of the process may use at that time. [`on_start`](Threads::on_start) can change all of this.
///
/// ```
/// // At the beginning of the program, because threads that run already stay as they are.
/// urcu::set_threads(urcu::Threads::new().stack_size(16 << 20).on_start(|| {
///     // Set the thread's CPUs or priority here, or register it with a profiler.
/// }));
/// ```
#[derive(Default)]
pub struct Threads {
    stack_size: Option<usize>,
    on_start: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Threads {
    /// Returns the default settings.
    pub const fn new() -> Self {
        Threads {
            stack_size: None,
            on_start: None,
        }
    }

    /// Sets the size of the stacks, in bytes. The system may round it up.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets a function that each thread runs before anything else. If it panics, the panic hook runs and
    /// the thread goes on.
    #[must_use]
    pub fn on_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_start = Some(Box::new(f));
        self
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

static THREADS: Hook<Threads> = Hook::new();

/// Sets how threads of this library start from now on, in place of earlier settings: see [`Threads`].
///
/// These are `urcu-callbacks`, the second thread that drives grace periods while a callback blocks, and
/// those of [`Runner::OwnThread`](crate::Runner::OwnThread). Threads that run already stay as they are.
pub fn set_threads(threads: Threads) {
    THREADS.set(Some(Arc::new(threads)));
}

/// Returns the stack size where the program has chosen none. The environment is read once and under no
/// lock, because a forked child comes here too. (The standard library would read `RUST_MIN_STACK` under a
/// lock.)
fn default_stack_size() -> usize {
    /// The standard library's size.
    const USUAL: usize = 2 << 20;
    /// 0: not asked for yet.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    let known = KNOWN.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let ours = what_the_environment_says().and_then(Result::ok);
    let theirs = || {
        super::environment::environment_variable("RUST_MIN_STACK")?
            .parse()
            .ok()
    };
    let size = ours.filter(|size| *size != 0).or_else(theirs);
    // For 1 the system takes the least possible size.
    let size = size.unwrap_or(USUAL).max(1);
    KNOWN.store(size, Ordering::Relaxed);
    size
}

/// Returns the value of `URCU_MIN_STACK`: bytes, or a text that is no number.
fn what_the_environment_says() -> Option<Result<usize, String>> {
    let text = super::environment::environment_variable("URCU_MIN_STACK")?;
    Some(text.trim().parse().map_err(|_| text))
}

/// Returns the text of `URCU_MIN_STACK` if it is no number, at the first call.
fn bad_stack_size() -> Option<String> {
    // Not wiped: a child says nothing again.
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.swap(true, Ordering::Relaxed) {
        return None;
    }
    what_the_environment_says()?.err()
}

/// Reports such a text. Called by a new thread of our own, because its creator may hold locks.
fn tell_bad_stack_size(text: &str) {
    super::log::say(format_args!(
        "URCU_MIN_STACK is not a number of bytes, in decimal digits: {text:?}; threads of this library \
         have the standard library's stack size"
    ));
}

/// The time before which no thread is started again: see [`now`].
static NEXT_ATTEMPT: AtomicU64 = AtomicU64::new(0);

/// Returns nanoseconds from an arbitrary start; 0 where there is no clock: then attempts follow one another
/// at once.
fn now() -> u64 {
    #[cfg(all(unix, not(miri)))]
    {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the time is valid for the write.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
    #[cfg(not(all(unix, not(miri))))]
    0
}

/// Starts a thread of the library's own. Returns `None` if the system refuses, or has refused a moment ago:
/// a caller that tries again and again spends at most a third of its time in attempts.
pub(crate) fn start(name: String, program: impl FnOnce() + Send + 'static) -> Option<Thread> {
    let before = now();
    if before < NEXT_ATTEMPT.load(Ordering::Relaxed) {
        return None;
    }
    let started = spawn(name, program);
    if started.is_none() {
        let after = now();
        let next = after + 2 * (after - before);
        NEXT_ATTEMPT.store(next, Ordering::Relaxed);
    }
    started
}

fn spawn(name: String, program: impl FnOnce() + Send + 'static) -> Option<Thread> {
    let threads = THREADS.get();
    let chosen = threads.as_ref().and_then(|threads| threads.stack_size);
    let stack = chosen.unwrap_or_else(default_stack_size);
    let mask = signals::of_user();
    // The new thread waits until it has its CPUs and policy: with the real-time priority and the CPU of its
    // creator it might never run, and so could not change them itself.
    let thread = Thread(Arc::new(AtomicU32::new(0)));
    let theirs = thread.clone();
    let body = move || {
        signals::begin(mask);
        PARKED.set(Arc::as_ptr(&theirs.0));
        park();
        scheduling::take_nice_value();
        if chosen.is_none()
            && let Some(text) = bad_stack_size()
        {
            run_first(|| tell_bad_stack_size(&text));
        }
        if let Some(threads) = threads {
            run_first(|| {
                hook::use_up(threads, |threads| {
                    if let Some(on_start) = &threads.on_start {
                        on_start();
                    }
                });
            });
        }
        program();
        // Destructors of thread-local data come next, which are a user's code.
        signals::enter_user();
    };
    // The new thread inherits the mask.
    let native = signals::blocked(|| create(name, stack, body))?;
    scheduling::settle(native);
    thread.unpark();
    Some(thread)
}

/// Creates a thread that nobody joins. The returned name is valid until the thread goes on from its first
/// [`park`].
#[cfg(all(target_os = "linux", not(miri)))]
fn create(
    name: String,
    stack: usize,
    body: impl FnOnce() + Send + 'static,
) -> Option<scheduling::Native> {
    use std::os::unix::thread::JoinHandleExt;
    if forked::is_forked() {
        return forked::start(&name, stack, body);
    }
    let handle = builder(name, stack).spawn(body).ok()?;
    Some(handle.as_pthread_t() as _)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn create(
    name: String,
    stack: usize,
    body: impl FnOnce() + Send + 'static,
) -> Option<scheduling::Native> {
    builder(name, stack).spawn(body).ok().map(drop)
}

fn builder(name: String, stack: usize) -> std::thread::Builder {
    std::thread::Builder::new().name(name).stack_size(stack)
}

/// A thread of our own, for those who wake it. Not the standard library's `Thread`, which only the new
/// thread itself could hand out.
#[derive(Clone, Debug)]
pub(crate) struct Thread(
    /// 1: it is woken, or will not fall asleep.
    Arc<AtomicU32>,
);

impl Thread {
    /// Ends the thread's [`park`], or its next one.
    pub(crate) fn unpark(&self) {
        // Release: pairs with the acquire in `park`.
        self.0.store(1, Ordering::Release);
        sync::futex_wake(&self.0, 1);
    }
}

/// Puts the calling thread, one of our own, to sleep until it is woken. Returns at once if it was woken
/// since it slept last.
pub(crate) fn park() {
    // SAFETY: null, or what the thread's body keeps until its end.
    let Some(word) = (unsafe { PARKED.get().as_ref() }) else {
        return;
    };
    // Acquire: pairs with the release in `unpark`.
    while word.swap(0, Ordering::Acquire) == 0 {
        sync::futex_wait(word, 0, None);
    }
}

/// Runs a first function and catches its panic, which would end a thread that others count on.
fn run_first(f: impl FnOnce()) {
    let run = core::panic::AssertUnwindSafe(|| as_user(f));
    if let Err(payload) = std::panic::catch_unwind(run) {
        as_user(|| discard(payload));
    }
}

thread_local! {
    /// On a thread of our own, the word that it sleeps on in [`park`]. It has no destructor, so it is there
    /// as long as the thread is.
    static PARKED: Cell<*const AtomicU32> = const { Cell::new(ptr::null()) };
}

#[cfg(all(target_os = "linux", not(miri)))]
mod scheduling {
    use core::mem::{MaybeUninit, size_of};

    /// The C library's name of a thread.
    pub(super) type Native = libc::pthread_t;

    /// CPUs, as the kernel counts them: enough for 8192.
    type Set = [u64; 128];

    /// Returns the CPUs that a thread may use; 0 is the calling one.
    fn cpus_of(thread: libc::pid_t) -> Option<Set> {
        let mut set: Set = [0; 128];
        let (size, address) = (size_of::<Set>(), set.as_mut_ptr().cast());
        // SAFETY: the set is valid for so many bytes.
        (unsafe { libc::sched_getaffinity(thread, size, address) } == 0).then_some(set)
    }

    /// Returns all CPUs that some thread of this process may use. The caller's alone would not do, because
    /// the program may have pinned it; nor all CPUs of the machine, because the program may have been
    /// started with fewer.
    fn cpus_of_process() -> Option<Set> {
        // SAFETY: takes nothing, cannot fail.
        let mut all = cpus_of(unsafe { libc::getpid() });
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten() {
            let Some(thread) = task
                .ok()
                .and_then(|task| task.file_name().to_str()?.parse().ok())
            else {
                continue;
            };
            if let Some(more) = cpus_of(thread) {
                let all = all.get_or_insert([0; 128]);
                all.iter_mut()
                    .zip(more)
                    .for_each(|(all, more)| *all |= more);
            }
        }
        all
    }

    /// Gives a thread that was just created the process's CPUs and the normal policy. What the system
    /// does not allow stays as it was inherited.
    pub(super) fn settle(thread: Native) {
        // SAFETY: the thread sleeps until it is woken after this, so it can be named; the set and the
        // parameters are valid. All-zero parameters are those of the normal policy.
        unsafe {
            let parameters = MaybeUninit::<libc::sched_param>::zeroed().assume_init();
            libc::pthread_setschedparam(thread, libc::SCHED_OTHER, &raw const parameters);
            if let Some(set) = cpus_of_process() {
                let size = size_of::<Set>();
                libc::pthread_setaffinity_np(thread, size, set.as_ptr().cast());
            }
        }
    }

    /// Gives the calling thread the nice value of the main thread.
    pub(super) fn take_nice_value() {
        // SAFETY: numbers alone.
        unsafe {
            let errno = libc::__errno_location();
            *errno = 0;
            let nice = libc::getpriority(libc::PRIO_PROCESS, libc::getpid() as libc::id_t);
            if *errno == 0 {
                libc::setpriority(libc::PRIO_PROCESS, 0, nice);
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod scheduling {
    pub(super) type Native = ();

    pub(super) fn settle((): Native) {}

    pub(super) fn take_nice_value() {}
}
