//! `call`, `defer_drop`, `barrier`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use urcu::Domain;
use urcu_host::seccomp::Filter;

use crate::support::assert_child_passes;

#[test]
fn a_callback_runs_after_the_sections_that_were_open() {
    let domain = Domain::new();
    let ran = Arc::new(AtomicBool::new(false));
    let guard = domain.read_lock();
    let flag = Arc::clone(&ran);
    domain.call(move || flag.store(true, Ordering::SeqCst));
    thread::sleep(Duration::from_millis(30));
    let early = ran.load(Ordering::SeqCst);
    drop(guard);
    domain.barrier();
    assert!(!early, "a callback ran before a section was over");
    assert!(ran.load(Ordering::SeqCst), "barrier() did not wait");
}

#[test]
fn a_value_is_dropped_after_the_sections_that_were_open() {
    let value = Arc::new(());
    let guard = urcu::read_lock();
    urcu::defer_drop(Arc::clone(&value));
    thread::sleep(Duration::from_millis(30));
    let early = Arc::strong_count(&value) == 1;
    drop(guard);
    urcu::barrier();
    assert!(!early, "dropped before a section was over");
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn callbacks_of_one_domain_run_once() {
    let domain = Domain::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for number in 0..1_000 {
        let seen = Arc::clone(&seen);
        domain.call(move || seen.lock().unwrap().push(number));
    }
    domain.barrier();
    let mut seen = seen.lock().unwrap();
    seen.sort_unstable();
    assert_eq!(*seen, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_barrier_waits_for_everything_its_thread_queued() {
    let domain = Domain::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let ran = Arc::new(AtomicUsize::new(0));
                    for _ in 0..20 {
                        let ran = Arc::clone(&ran);
                        domain.call(move || {
                            ran.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                    domain.barrier();
                    assert_eq!(ran.load(Ordering::SeqCst), 20);
                }
            });
        }
    });
}

#[test]
fn a_barrier_without_callbacks_returns() {
    Domain::new().barrier();
    urcu::barrier();
}

#[test]
fn callbacks_after_a_panicking_one_run() {
    /// A payload that cannot even be dropped.
    struct Worse;
    impl Drop for Worse {
        fn drop(&mut self) {
            resume_unwind(Box::new("a payload's drop"));
        }
    }
    let domain = Domain::new();
    let ran = Arc::new(AtomicUsize::new(0));
    for number in 0..9 {
        let ran = Arc::clone(&ran);
        // Not `panic!`: that would print.
        domain.call(move || match number % 3 {
            0 => resume_unwind(Box::new("on purpose")),
            1 => resume_unwind(Box::new(Worse)),
            _ => {
                ran.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 3);
    domain.synchronize();
}

#[test]
fn a_barrier_in_a_callback_panics_and_says_why() {
    static OWN: Domain = Domain::named("own");
    static OTHER: Domain = Domain::named("other");
    let (sender, receiver) = mpsc::channel();
    OWN.call(move || {
        for domain in [&OWN, &OTHER] {
            let payload = catch_unwind(AssertUnwindSafe(|| domain.barrier())).unwrap_err();
            let message = payload.downcast_ref::<&str>().map(|text| text.to_string());
            sender
                .send(message.or_else(|| payload.downcast_ref::<String>().cloned()))
                .unwrap();
        }
    });
    OWN.barrier();
    for message in receiver {
        let message = message.expect("a message");
        assert!(
            message.contains("barrier() called by an RCU callback"),
            "{message}"
        );
    }
    OWN.barrier();
    OTHER.barrier();
}

#[test]
fn a_callback_may_use_the_domain() {
    static DOMAIN: Domain = Domain::named("used by its callbacks");
    let (sender, receiver) = mpsc::channel();
    DOMAIN.call(move || {
        drop(DOMAIN.read_lock());
        DOMAIN.synchronize();
        DOMAIN.call(move || {
            drop(DOMAIN.read_lock());
            DOMAIN.call(move || sender.send(()).unwrap());
        });
    });
    DOMAIN.barrier();
    receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    DOMAIN.barrier();
}

#[test]
fn a_guard_may_be_dropped_by_a_callback_of_another_domain() {
    static HELD: Domain = Domain::named("held");
    let domain = Domain::new();
    let guard = HELD.read_lock();
    domain.call(move || drop(guard));
    HELD.synchronize();
    domain.barrier();
}

#[test]
fn without_a_thread_callbacks_run_in_barrier() {
    assert_child_passes("callbacks::calls::child_without_a_thread");
}

#[test]
#[ignore = "a child process of without_a_thread_callbacks_run_in_barrier"]
fn child_without_a_thread() {
    Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
        .install()
        .unwrap();
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = Arc::clone(&ran);
        move || {
            ran.fetch_add(1, Ordering::SeqCst);
        }
    };
    let domain = Domain::new();
    urcu::call(count());
    domain.call(count());
    domain.call(count());
    urcu::barrier();
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 3);
    domain.call(count());
    drop(domain);
    assert_eq!(ran.load(Ordering::SeqCst), 4);
}
