//! Threads that cannot be started, or only later.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Executor, Job, Runner, Threads};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::seccomp::Filter;

use super::{Counting, blocked_by};
use crate::support::fork::{assert_child, block_on, fork};
use crate::support::{SetOnDrop, assert_child_passes};

/// Returns how many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("/proc").count()
}

#[test]
fn where_callers_or_executors_drive_no_thread_is_started() {
    assert_child_passes("threads::starting::child_without_shared_domains");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_shared_domains() {
    /// Drops all jobs.
    struct Never;
    impl Executor for Never {
        fn execute(&self, _: Job) {}
    }
    static NEVER: Never = Never;
    let before = threads();
    for runner in [Runner::Caller, Runner::Executor(&NEVER)] {
        let domain = Domain::new().run_by(runner.clone());
        let guard = domain.read_lock();
        let cookie = domain.start_poll();
        assert!(!domain.poll(&cookie));
        assert!(!cookie.wait_timeout(Duration::from_millis(3)));
        let mut future = pin!(domain.synchronize_async());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(guard);
        block_on(future);
        assert!(domain.poll(&cookie));
        domain.call(|| ());
        domain.barrier();
        assert_eq!(threads(), before, "{runner:?}");
    }
}

/// Queues ten callbacks with `call` where no thread can be started.
fn call_in_vain(domain: &'static Domain, sender: &mpsc::Sender<i32>) {
    let sender = sender.clone();
    let filtered = thread::spawn(move || {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        for number in 0..10 {
            let sender = sender.clone();
            domain.call(move || sender.send(number).unwrap());
        }
    });
    filtered.join().unwrap();
}

#[test]
fn the_next_callback_starts_the_worker_that_could_not_be_started() {
    assert_child_passes("threads::starting::child_without_threads_at_first");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_threads_at_first() {
    // On one CPU, or another one's first callback would start it in any case.
    run_on(&cpus()[..1]);
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner.clone())));
        let (sender, ran) = mpsc::channel();
        call_in_vain(domain, &sender);
        if let Runner::Shared = runner {
            // An attempt that fails is not repeated at once.
            thread::sleep(Duration::from_millis(50));
            assert!(ran.try_recv().is_err(), "somebody ran it");
            domain.call(move || sender.send(10).unwrap());
            assert_eq!(ran.iter().take(11).sum::<i32>(), 55);
        } else {
            // The worker tries again, whatever the program does.
            assert_eq!(ran.iter().take(10).sum::<i32>(), 45);
        }
    }
}

#[test]
fn whatever_waits_starts_the_thread_that_could_not_be_started() {
    assert_child_passes("threads::starting::child_that_waits_later");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_waits_later() {
    static DOMAIN: Domain = Domain::named("waited for later");
    let (sender, ran) = mpsc::channel();
    let filtered = thread::spawn(move || {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        DOMAIN.call(move || sender.send(()).unwrap());
    });
    filtered.join().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert!(ran.try_recv().is_err(), "somebody ran it");
    DOMAIN.synchronize();
    ran.recv().unwrap();
}

#[test]
fn without_a_thread_of_its_own_a_domain_is_driven_all_the_same() {
    // The worker is there.
    urcu::call(|| ());
    urcu::barrier();
    let filtered = thread::spawn(|| {
        let domain = Domain::new().run_by(Runner::OwnThread);
        let (sender, guards) = mpsc::channel();
        let guard: urcu::ReadGuard<'_> = domain.read_lock();
        sender.send(guard).unwrap();
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        domain.call(|| ());
        let mut future = pin!(domain.synchronize_async());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(guards.recv().unwrap());
        block_on(future);
    });
    filtered.join().unwrap();
}

#[test]
fn a_forked_child_starts_its_threads_though_a_thread_was_changing_the_environment() {
    assert_child_passes("threads::starting::child_that_forks_beside_set_var");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_forks_beside_set_var() {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The standard library's lock is held nearly all the time.
            let value = "x".repeat(1 << 20);
            while !over.load(Ordering::Relaxed) {
                // SAFETY: nobody else in this process reads or changes the environment but through
                // the standard library, which takes the same lock.
                unsafe { std::env::set_var("URCU_TEST_LONG_VALUE", &value) };
            }
        });
        let over = SetOnDrop(&over);
        for _ in 0..30 {
            assert_child(fork, || {
                let (sender, done) = mpsc::channel();
                urcu::call(move || sender.send(()).unwrap());
                done.recv().unwrap();
            });
        }
        drop(over);
    });
}

#[test]
fn while_no_thread_can_relieve_the_worker_those_who_await_drive() {
    assert_child_passes("threads::starting::child_without_relief");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_relief() {
    static AWAITED: Domain = Domain::named("awaited");
    let (sender, done) = mpsc::channel();
    // The worker starts none from the beginning.
    urcu::set_threads(Threads::new().on_start(|| {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
    }));
    let first = sender.clone();
    urcu::call(move || first.send(1).unwrap());
    done.recv().unwrap();
    // Until it drives again, this thread would start another.
    let rest = || thread::sleep(Duration::from_millis(50));
    let guard = AWAITED.read_lock();
    // Again, after it was tried in vain.
    for _ in 0..3 {
        rest();
        let sender = sender.clone();
        urcu::call(move || {
            let count = Arc::new(Counting::default());
            let waker = Waker::from(Arc::clone(&count));
            let mut future = pin!(AWAITED.synchronize_async());
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            sender.send(count.0.load(Ordering::SeqCst)).unwrap();
        });
        assert_ne!(
            done.recv().unwrap(),
            0,
            "left to a thread that there is not"
        );
    }
    assert_eq!(blocked_by("urcu-callbacks").len(), 1, "another was started");
    // Whoever had left it to the worker is told.
    rest();
    let count = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut future = pin!(AWAITED.synchronize_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_eq!(count.0.load(Ordering::SeqCst), 0, "the worker drives");
    let woken = Arc::clone(&count);
    urcu::call(move || {
        while woken.0.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        sender.send(1).unwrap();
    });
    done.recv().unwrap();
    drop(guard);
    block_on(future);
}
