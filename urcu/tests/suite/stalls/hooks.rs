//! Hooks that panic, wait, drop what they are told of, never return, or are replaced.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::Domain;
use urcu::stall;

use super::DOMAIN;
use crate::support::fork::block_on;
use crate::support::in_a_process_of_its_own;

in_a_process_of_its_own! {
    a_hook_may_panic_and_use_the_domain: child_with_a_bad_hook,
    a_hook_may_wait_for_what_it_is_told_of: child_whose_hook_waits,
    a_hook_may_drop_the_domain_that_it_is_told_of: child_whose_hook_drops,
    a_hook_that_never_returns_holds_up_its_own_thread_alone: child_whose_hook_never_returns,
    whoever_leads_after_a_report_goes_on: child_whose_leaders_report,
    a_hook_is_replaced_under_load: child_that_replaces_hooks,
}

#[test]
#[ignore = "a child process"]
fn child_with_a_bad_hook() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    stall::set_timeout(Duration::from_millis(10));
    stall::set_hook(|report| {
        drop(DOMAIN.read_lock());
        DOMAIN.call(|| ());
        assert_eq!(DOMAIN.stats().stalls, 1);
        stall::set_hook(|_| {
            CALLED.fetch_add(1, Ordering::SeqCst);
            std::panic::resume_unwind(Box::new("again"));
        });
        CALLED.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new(report.to_string()));
    });
    let guard = DOMAIN.read_lock();
    let over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&over);
    let waiter = thread::spawn(move || {
        DOMAIN.synchronize();
        flag.store(true, Ordering::SeqCst);
    });
    while CALLED.load(Ordering::SeqCst) < 3 {
        assert!(!over.load(Ordering::SeqCst), "a panic ended a grace period");
        thread::sleep(Duration::from_millis(1));
    }
    drop(guard);
    waiter.join().unwrap();
    DOMAIN.barrier();
}

/// A way to wait, with a name.
type Wait = (&'static str, fn(&'static Domain));

/// Whatever waits for a grace period of a domain.
fn waits() -> [Wait; 7] {
    [
        ("synchronize", Domain::synchronize),
        ("a cookie", |domain| domain.start_poll().wait()),
        ("a cookie with a limit", |domain| {
            assert!(domain.start_poll().wait_timeout(Duration::from_secs(60)));
        }),
        ("polling", |domain| {
            let grace_period = domain.start_poll();
            while !domain.poll(&grace_period) {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        ("a future", |domain| block_on(domain.synchronize_async())),
        ("a barrier", |domain| {
            domain.call(|| ());
            domain.barrier();
        }),
        ("a cell", |domain| {
            assert_eq!(urcu::Rcu::new_in(1, domain).replace(2), 1);
        }),
    ]
}

/// The hook waits for the very grace period that it is told of, whoever calls it.
#[test]
#[ignore = "a child process"]
fn child_whose_hook_waits() {
    stall::set_timeout(Duration::from_millis(10));
    // The threads that wait, and so are called: a caller by each means, or a background thread.
    let mut callers = waits().to_vec();
    callers.push(("the background thread", |domain| domain.call(|| ())));
    for (name, call) in callers {
        for (inner, wait) in waits() {
            println!("{name}, whose hook waits by {inner}");
            let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
            let calls = Arc::new(AtomicUsize::new(0));
            let (called, hook_called) = mpsc::channel();
            let (ended, hook_ended) = mpsc::channel();
            let count = Arc::clone(&calls);
            stall::set_hook(move |report| {
                // One hook for each: others may be told of the same meanwhile.
                if report.domain.contains(&format!("{domain}")[..])
                    && count.fetch_add(1, Ordering::SeqCst) == 0
                {
                    called.send(()).unwrap();
                    wait(domain);
                    ended.send(()).unwrap();
                }
            });
            let guard = domain.read_lock();
            let caller = thread::spawn(move || call(domain));
            hook_called.recv().unwrap();
            // It waits as anybody else would.
            assert!(hook_ended.recv_timeout(Duration::from_millis(20)).is_err());
            drop(guard);
            hook_ended.recv().unwrap();
            caller.join().unwrap();
            domain.barrier();
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_whose_hook_drops() {
    static DROPPED: Mutex<Option<Domain>> = Mutex::new(None);
    stall::set_timeout(Duration::from_millis(10));
    let own = || Domain::new().run_by(urcu::Runner::OwnThread);
    let caller = || Domain::new().run_by(urcu::Runner::Caller);
    // By the background thread, by one of its own, by who polls, by who waits.
    type Case = (fn() -> Domain, fn(urcu::GracePeriod));
    let cases: [Case; 4] = [
        (Domain::new, drop),
        (own, drop),
        (caller, |grace_period| {
            while !grace_period.is_over() {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        (caller, |grace_period| grace_period.wait()),
    ];
    for (make, wait) in cases {
        let (dropped, is_dropped) = mpsc::channel();
        stall::set_hook(move |_| {
            let domain = DROPPED.lock().unwrap().take();
            if domain.is_some() {
                drop(domain);
                dropped.send(()).unwrap();
            }
        });
        // Without callbacks it goes although a section of it is open.
        let domain = make();
        std::mem::forget(domain.read_lock());
        let grace_period = domain.start_poll();
        *DROPPED.lock().unwrap() = Some(domain);
        wait(grace_period);
        is_dropped.recv().unwrap();
    }
    stall::remove_hook();
    urcu::synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_whose_hook_never_returns() {
    stall::set_timeout(Duration::from_millis(10));
    for by_worker in [false, true] {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let (called, hook_called) = mpsc::channel();
        let stuck = AtomicBool::new(false);
        stall::set_hook(move |_| {
            if !stuck.swap(true, Ordering::SeqCst) {
                called.send(()).unwrap();
                loop {
                    thread::park();
                }
            }
        });
        let guard = domain.read_lock();
        let (returned, returns) = mpsc::channel();
        if by_worker {
            domain.call(|| ());
            hook_called.recv().unwrap();
            drop(guard);
            let theirs = returned.clone();
            domain.call(move || theirs.send(()).unwrap());
            returns.recv().unwrap();
            continue;
        }
        // Whoever leads is called, and the others wait for it, or for the next.
        for _ in 0..3 {
            let returned = returned.clone();
            thread::spawn(move || {
                domain.synchronize();
                returned.send(()).unwrap();
            });
        }
        hook_called.recv().unwrap();
        drop(guard);
        (0..2).for_each(|_| returns.recv().unwrap());
        domain.synchronize();
    }
}

#[test]
#[ignore = "a child process"]
fn child_whose_leaders_report() {
    stall::set_timeout(Duration::from_micros(100));
    // Some that panic, some that wait themselves.
    static TURN: AtomicUsize = AtomicUsize::new(0);
    stall::set_hook(|_| match TURN.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => std::panic::resume_unwind(Box::new(())),
        1 => DOMAIN.synchronize(),
        _ => {}
    });
    let end = Instant::now() + crate::support::length(500).max(Duration::from_millis(500));
    thread::scope(|scope| {
        for number in 0..5 {
            scope.spawn(move || {
                while Instant::now() < end {
                    match number {
                        0 | 1 => {
                            let guard = DOMAIN.read_lock();
                            thread::sleep(Duration::from_micros(500));
                            drop(guard);
                        }
                        2 => {
                            let grace_period = DOMAIN.start_poll();
                            while !grace_period.is_over() {}
                        }
                        _ => DOMAIN.synchronize(),
                    }
                }
            });
        }
    });
    // Led or followed: nobody sleeps on.
    assert_ne!(TURN.load(Ordering::Relaxed), 0);
    DOMAIN.synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_that_replaces_hooks() {
    stall::set_timeout(Duration::from_micros(50));
    let alive = Arc::new(Mutex::new(0u64));
    let end = Instant::now() + crate::support::length(400);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let held = Arc::clone(&alive);
                    stall::set_hook(move |_| *held.lock().unwrap() += 1);
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < end {
                let guard = DOMAIN.read_lock();
                thread::sleep(Duration::from_micros(300));
                drop(guard);
            }
        });
        while Instant::now() < end {
            DOMAIN.synchronize();
        }
    });
    // On a slow machine no section may have met a grace period for so long.
    let held = Arc::clone(&alive);
    stall::set_hook(move |_| *held.lock().unwrap() += 1);
    while *alive.lock().unwrap() == 0 {
        let guard = DOMAIN.read_lock();
        thread::scope(|scope| {
            scope.spawn(|| DOMAIN.synchronize());
            thread::sleep(Duration::from_millis(50));
            drop(guard);
        });
    }
    stall::remove_hook();
    assert!(*alive.lock().unwrap() > 0);
    assert_eq!(Arc::strong_count(&alive), 1, "replaced hooks are dropped");
}
