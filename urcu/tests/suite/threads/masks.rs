//! A user's code runs with the signal mask of the program's threads, and hooks run where they can.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Runner, Threads};
use urcu_host::seccomp::Filter;

use super::{Says, blocked_by};
use crate::support::assert_child_passes;

/// The calling thread's mask: signals from 1 to 64, as bits.
fn mask() -> u64 {
    // SAFETY: the set is valid for the write, and filled before it is read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
        (1..=64)
            .filter(|signal| libc::sigismember(&raw const set, *signal) == 1)
            .fold(0, |mask, signal| mask | 1 << (signal - 1))
    }
}

/// The signals that a thread's own instructions raise.
const SYNCHRONOUS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

struct SendsMask(mpsc::Sender<u64>);

impl Drop for SendsMask {
    fn drop(&mut self) {
        self.0.send(mask()).unwrap();
    }
}

impl Wake for SendsMask {
    fn wake(self: Arc<Self>) {
        // Dropped here.
    }
}

#[test]
fn a_users_code_has_the_mask_of_the_programs_threads() {
    assert_child_passes("threads::masks::child_with_a_mask");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_mask() {
    // SAFETY: the set is filled before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGUSR2);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
    let expected = mask();
    assert_eq!(expected, 1 << (libc::SIGUSR2 - 1));
    let (sender, masks) = mpsc::channel();
    let start = sender.clone();
    urcu::set_threads(Threads::new().on_start(move || {
        start.send(mask()).unwrap();
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert_eq!(mask(), expected, "after a hook was set");
    let of_callbacks = sender.clone();
    urcu::set_callback_panic_hook(move |_| of_callbacks.send(mask()).unwrap());
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::named("masks").run_by(runner.clone())));
        let more = sender.clone();
        domain.call(move || {
            more.send(mask()).unwrap();
            // Threads started inside a callback are as if the program had started them.
            let theirs = more.clone();
            let spawned = thread::spawn(move || theirs.send(mask()).unwrap());
            spawned.join().unwrap();
            let other: &Domain = Box::leak(Box::new(Domain::new().run_by(Runner::OwnThread)));
            other.call(move || more.send(mask()).unwrap());
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        domain.defer_drop(SendsMask(sender.clone()));
        // One start at least, three callbacks and threads, a panic and a drop.
        for number in 0..6 {
            assert_eq!(masks.recv().unwrap(), expected, "{runner:?}: {number}");
        }
        let guard = domain.read_lock();
        let mut future = pin!(domain.synchronize_async());
        let waker = Waker::from(Arc::new(SendsMask(sender.clone())));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop((waker, guard));
        assert_eq!(masks.recv().unwrap(), expected, "{runner:?}: a waker");
    }
    assert_eq!(mask(), expected, "where threads were started");
    // Asleep, all is blocked that the program sends, and nothing that the thread raises itself.
    let blocked = || blocked_by("urcu-callbacks");
    // In the end, before the deadline: while libc creates a thread it blocks all of them itself.
    let is_shielded = |mask: &u64| {
        mask & 1 << (libc::SIGTERM - 1) != 0
            && SYNCHRONOUS
                .iter()
                .all(|signal| mask & 1 << (signal - 1) == 0)
    };
    while !blocked().iter().all(is_shielded) {
        thread::yield_now();
    }
    std::mem::forget(masks); // Threads that start later send too.
}

#[test]
fn a_hook_for_stalls_has_the_mask_of_the_programs_threads() {
    assert_child_passes("threads::masks::child_with_a_stall");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_stall() {
    static DOMAIN: Domain = Domain::named("stalled");
    let (sender, masks) = mpsc::channel();
    urcu::stall::set_timeout(Duration::from_millis(5));
    urcu::stall::set_hook(move |_| {
        let sender = sender.clone();
        sender.send(mask()).unwrap();
        let spawned = thread::spawn(move || sender.send(mask()).unwrap());
        spawned.join().unwrap();
    });
    let expected = mask();
    let guard = DOMAIN.read_lock();
    // The worker's to report.
    drop(DOMAIN.start_poll());
    for _ in 0..2 {
        assert_eq!(masks.recv().unwrap(), expected);
    }
    std::mem::forget(masks);
    drop(guard);
}

#[test]
fn destructors_of_thread_local_data_have_the_mask_of_the_programs_threads() {
    thread_local! {
        static LAST: RefCell<Option<SendsMask>> = const { RefCell::new(None) };
    }
    let domain = Domain::new().run_by(Runner::OwnThread);
    let (sender, masks) = mpsc::channel();
    let (says, set) = mpsc::channel();
    domain.call(move || {
        LAST.set(Some(SendsMask(sender)));
        says.send(()).unwrap();
    });
    set.recv().unwrap();
    drop(domain);
    assert_eq!(masks.recv().unwrap(), mask());
}

#[test]
fn a_hook_for_stalls_does_not_keep_whoever_drives_where_no_thread_can_be_started() {
    assert_child_passes("threads::masks::child_with_a_stall_and_without_threads");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_stall_and_without_threads() {
    static STALLED: Domain = Domain::named("stalled");
    static AWAITED: Domain = Domain::named("awaited");
    let (says, refused) = mpsc::channel();
    let refuse = || Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN).install();
    STALLED.call(move || {
        refuse().unwrap();
        says.send(()).unwrap();
    });
    refused.recv().unwrap();
    // From here on nobody can start a thread.
    refuse().unwrap();
    let (waits, waiting) = mpsc::channel();
    let (over, done) = mpsc::channel();
    urcu::stall::set_timeout(Duration::from_millis(5));
    urcu::stall::set_hook(move |_| {
        let mut future = pin!(AWAITED.synchronize_async());
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Says(Mutex::new(sender))));
        while future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            waits.send(()).unwrap();
            woken.recv().unwrap();
        }
        over.send(()).unwrap();
    });
    let (stalled, awaited) = (STALLED.read_lock(), AWAITED.read_lock());
    // The worker's to report.
    let _ = STALLED.start_poll();
    waiting.recv().unwrap();
    drop(awaited);
    done.recv().unwrap();
    std::mem::forget((waiting, done)); // It may be reported again.
    drop(stalled);
}

/// Panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn hooks_that_are_replaced_while_they_run_may_panic_when_they_are_dropped() {
    assert_child_passes("threads::masks::child_with_hooks_that_panic_when_dropped");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_hooks_that_panic_when_dropped() {
    static CALLED: Domain = Domain::named("called").run_by(Runner::Caller);
    let panics = Panics;
    urcu::set_callback_panic_hook(move |_| {
        let _ = &panics;
        urcu::set_callback_panic_hook(|_| ());
    });
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    CALLED.call(|| std::panic::resume_unwind(Box::new("on purpose")));
    CALLED.call(move || _ = count.fetch_add(1, Ordering::Relaxed));
    while CALLED.run_callbacks(10) == 0 {}
    assert_eq!(ran.load(Ordering::Relaxed), 1, "the next one did not run");
    CALLED.barrier(); // Panics inside a callback.

    // The same for what a thread begins with: it is there all the same.
    let panics = Panics;
    urcu::set_threads(Threads::new().on_start(move || {
        let _ = &panics;
        urcu::set_threads(Threads::new());
    }));
    let (sender, done) = mpsc::channel();
    urcu::call(move || sender.send(()).unwrap());
    done.recv().unwrap();

    // And for stalls.
    let panics = Panics;
    urcu::stall::set_timeout(Duration::from_millis(5));
    let (sender, reported) = mpsc::channel();
    urcu::stall::set_hook(move |_| {
        let _ = &panics;
        urcu::stall::set_hook(|_| ());
        sender.send(()).unwrap();
    });
    static STALLED: Domain = Domain::named("stalled");
    let guard = STALLED.read_lock();
    thread::scope(|scope| {
        let waits = scope.spawn(|| STALLED.synchronize());
        reported.recv().unwrap();
        drop(guard);
        waits.join().unwrap();
    });
}
