//! What the tests of `fork` share: ways to fork, and what a child must be able to do.

use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Rcu};

use super::sleeps;

/// A function that forks, with the result of `fork`.
pub(crate) type Fork = fn() -> libc::pid_t;

pub(crate) fn fork() -> libc::pid_t {
    // SAFETY: what the tests do in children is what the library promises there; glibc sees to the
    // heap's locks.
    unsafe { libc::fork() }
}

/// `_Fork` of POSIX, which runs no `atfork` handlers; glibc has it from 2.34 on.
pub(crate) fn fork_without_handlers() -> libc::pid_t {
    type Function = unsafe extern "C" fn() -> libc::pid_t;
    // SAFETY: the symbol has that type where it exists; then as in `fork`, for children that do
    // not need the heap's locks.
    unsafe {
        let found = libc::dlsym(libc::RTLD_DEFAULT, c"_Fork".as_ptr());
        if found.is_null() {
            return raw_fork();
        }
        std::mem::transmute::<*mut libc::c_void, Function>(found)()
    }
}

/// Behind libc's back.
pub(crate) fn raw_fork() -> libc::pid_t {
    // SAFETY: `clone` without a stack is what `fork` is; as in `fork_without_handlers`.
    unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::SIGCHLD as libc::c_ulong,
            0usize,
            0usize,
            0usize,
            0usize,
        ) as libc::pid_t
    }
}

/// Waits until all other threads sleep, and so neither use the heap nor start or end a thread. Only libc's `fork` sees
/// to its locks, which the child of another way would find held.
pub(crate) fn until_others_sleep() {
    // SAFETY: no arguments.
    let own = unsafe { libc::gettid() };
    let is_awake = |thread: libc::pid_t| thread != own && !sleeps(thread);
    let all = || fs::read_dir("/proc/self/task").expect("/proc").flatten();
    let number = |name: OsString| name.to_str()?.parse().ok();
    while all()
        .filter_map(|task| number(task.file_name()))
        .any(is_awake)
    {
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) const WAYS: [(&str, Fork); 3] = [
    ("fork", fork),
    ("_Fork", fork_without_handlers),
    ("clone", raw_fork),
];

/// The seconds that a child may take before it is killed.
const LIMIT: libc::c_uint = 30;

/// Ends the process at once, as a child does.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// In a child: runs `body` and ends, well only if that does not panic; killed if it hangs.
pub(crate) fn child_does(body: impl FnOnce()) -> ! {
    limit_child();
    let good = catch_unwind(AssertUnwindSafe(body)).is_ok();
    leave(if good { 0 } else { 7 })
}

/// In a child: it is killed if it hangs.
pub(crate) fn limit_child() {
    // SAFETY: no handler is installed for the signal, so it ends the process; the set is filled
    // before it is used.
    unsafe {
        // The worker, from which callbacks fork, blocks all signals.
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGALRM);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::alarm(LIMIT);
    }
}

/// Forks; `body` runs in the child. Its process.
pub(crate) fn spawn(fork: Fork, body: impl FnOnce()) -> libc::pid_t {
    let process = fork();
    if process == 0 {
        child_does(body)
    }
    process
}

/// Waits for a child, which must have ended well.
#[track_caller]
pub(crate) fn assert_ends_well(process: libc::pid_t) {
    assert!(process > 0, "{}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: the status is valid for the write.
    while unsafe { libc::waitpid(process, &raw mut status, 0) } != process {}
    assert!(
        libc::WIFEXITED(status) || libc::WTERMSIG(status) != libc::SIGALRM,
        "the child hangs"
    );
    assert_eq!(
        status, 0,
        "the child's status (a signal, or 256 x its code)"
    );
}

/// Forks and waits for a child that runs `body`.
#[track_caller]
pub(crate) fn assert_child(fork: Fork, body: impl FnOnce()) {
    assert_ends_well(spawn(fork, body));
}

/// True once it was woken. Not `thread::park`, which is not to be had in the last destructors of a
/// thread.
#[derive(Default)]
struct Woken(Mutex<bool>, Condvar);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

/// The smallest executor: polls when it is woken, and only then.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        let asleep = |woken: &mut bool| !std::mem::take(woken);
        drop(woken.1.wait_while(woken.0.lock().unwrap(), asleep).unwrap());
    }
}

/// Reads, waits and runs callbacks, in every way there is.
pub(crate) fn use_everything(domain: &'static Domain) {
    let cell = Rcu::new_in([1u64; 4], domain);
    let guard = domain.read_lock();
    assert_eq!(*cell.load(&guard), [1; 4]);
    drop(guard);
    assert_eq!(cell.snapshot(), [1; 4]);
    domain.synchronize();
    assert_eq!(cell.replace([2; 4]), [1; 4]);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    domain.call(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 1, "a barrier");
    let grace_period = domain.start_poll();
    assert!(grace_period.wait_timeout(Duration::from_secs(60)));
    assert!(domain.poll(&grace_period));
    block_on(domain.synchronize_async());
    drop(domain.start_poll());
    // And it waits still: a section that is open keeps a grace period from ending.
    let guard = domain.read_lock();
    let grace_period = domain.start_poll();
    assert!(!grace_period.wait_timeout(Duration::from_millis(1)));
    drop(guard);
    grace_period.wait();
}

/// The same for a domain whose work is its callers', without futures, which somebody would have to
/// wake.
pub(crate) fn use_by_hand(domain: &'static Domain) {
    drop(domain.read_lock());
    domain.synchronize();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    domain.call(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 1, "a barrier");
    let guard = domain.read_lock();
    let grace_period = domain.start_poll();
    assert!(!domain.poll(&grace_period));
    drop(guard);
    grace_period.wait();
}

/// A number that a process and its children share.
pub(crate) fn shared() -> &'static AtomicU64 {
    // SAFETY: a new mapping, zeroed, for good.
    unsafe {
        let mapping = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(mapping, libc::MAP_FAILED);
        &*mapping.cast::<AtomicU64>()
    }
}
