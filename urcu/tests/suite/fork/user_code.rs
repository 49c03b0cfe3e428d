//! Callbacks and hooks that fork.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use urcu::{Domain, ReadGuard};

use super::{DOMAIN, OTHER, domains, until};
use crate::support::fork::{
    WAYS, assert_ends_well, fork, shared, until_others_sleep, use_everything,
};
use crate::support::in_a_process_of_its_own;

in_a_process_of_its_own! {
    a_callback_may_fork: child_in_a_callback,
    a_callback_that_forks_in_a_dropped_domain_ends_the_drop: child_in_a_drop,
    a_stall_hook_may_fork: child_in_a_hook,
    a_child_of_a_stall_hook_may_read_and_retire_and_return: child_in_a_hook_with_a_section,
}

#[test]
#[ignore = "a child process"]
fn child_in_a_callback() {
    for returns in [false, true] {
        for (name, way) in WAYS {
            println!("{name}, returns: {returns}");
            let ran = shared();
            let (sender, receiver) = mpsc::channel();
            // All ready at once, behind a section.
            let guards = domains().map(Domain::read_lock);
            DOMAIN.call(move || {
                until_others_sleep();
                let process = way();
                if process == 0 {
                    crate::support::fork::limit_child();
                    let used = || domains().into_iter().for_each(use_everything);
                    if catch_unwind(used).is_err() {
                        crate::support::fork::leave(8);
                    }
                    if !returns {
                        crate::support::fork::leave(0);
                    }
                    // This thread is not the child's worker, and leaves its parent's work alone.
                    thread::spawn(|| {
                        thread::sleep(Duration::from_millis(50));
                        domains().into_iter().for_each(use_everything);
                        crate::support::fork::leave(0);
                    });
                    return;
                }
                sender.send(process).unwrap();
            });
            for domain in domains() {
                for _ in 0..10 {
                    domain.call(|| {
                        ran.fetch_add(1, Ordering::SeqCst);
                    });
                }
            }
            drop(guards);
            assert_ends_well(receiver.recv().unwrap());
            domains().into_iter().for_each(Domain::barrier);
            assert_eq!(ran.load(Ordering::SeqCst), 30, "in the parent alone, once");
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_in_a_drop() {
    let ran = shared();
    let (started, start) = mpsc::channel();
    let (held, hold) = mpsc::channel::<()>();
    OTHER.call(move || {
        started.send(()).unwrap();
        let _ = hold.recv();
    });
    // The worker is kept, so that the callbacks below run where the domain is dropped.
    start.recv().unwrap();
    let domain = Domain::new();
    let (sender, receiver) = mpsc::channel();
    domain.call(move || sender.send(fork()).unwrap());
    domain.call(|| {
        ran.fetch_add(1, Ordering::SeqCst);
    });
    drop(domain);
    let process = receiver.recv().unwrap();
    if process == 0 {
        crate::support::fork::child_does(|| domains().into_iter().for_each(use_everything));
    }
    assert_ends_well(process);
    assert_eq!(ran.load(Ordering::SeqCst), 1, "in the parent alone");
    drop(held);
    OTHER.barrier();
}

#[test]
#[ignore = "a child process"]
fn child_in_a_hook() {
    static CHILD: AtomicBool = AtomicBool::new(false);
    urcu::stall::set_timeout(Duration::from_millis(20));
    // Some grace periods first, so that the child's numbers and the parent's differ.
    for rounds in [0, 5] {
        (0..rounds).for_each(|_| DOMAIN.synchronize());
        for (name, way) in WAYS {
            for waits_itself in [true, false] {
                println!("{name} after {rounds}, the hook's thread waits: {waits_itself}");
                let (sender, receiver) = mpsc::channel();
                let forked = AtomicBool::new(false);
                urcu::stall::set_hook(move |_| {
                    if forked.swap(true, Ordering::SeqCst) {
                        return;
                    }
                    until_others_sleep();
                    let process = way();
                    if process == 0 {
                        crate::support::fork::limit_child();
                        CHILD.store(true, Ordering::SeqCst);
                        if rounds == 0 || !waits_itself {
                            domains().into_iter().for_each(use_everything);
                        }
                        if !waits_itself {
                            crate::support::fork::leave(0);
                        }
                        return;
                    }
                    sender.send(process).unwrap();
                });
                let (guard_in, guard_out) = mpsc::channel();
                let holder = thread::spawn(move || {
                    let guard = DOMAIN.read_lock();
                    guard_in.send(()).unwrap();
                    let process = receiver.recv().unwrap();
                    drop(guard);
                    process
                });
                guard_out.recv().unwrap();
                if waits_itself {
                    DOMAIN.synchronize();
                    if CHILD.load(Ordering::SeqCst) {
                        // Out of the very call in which it was forked.
                        crate::support::fork::child_does(|| {
                            domains().into_iter().for_each(use_everything);
                        });
                    }
                } else {
                    let cookie = DOMAIN.start_poll();
                    until(|| DOMAIN.stats().grace_periods > 0 && cookie.is_over());
                }
                assert_ends_well(holder.join().unwrap());
                urcu::stall::remove_hook();
            }
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_in_a_hook_with_a_section() {
    static CHILD: AtomicBool = AtomicBool::new(false);
    static GUARD: Mutex<Option<ReadGuard<'static>>> = Mutex::new(None);
    urcu::stall::set_timeout(Duration::from_millis(20));
    // The child's numbers of grace periods are the parent's, or not; and who leads, leads a caller's
    // or the background thread's.
    for (rounds, waits_itself) in [(0, true), (2, true), (5, false)] {
        (0..rounds).for_each(|_| DOMAIN.synchronize());
        let (sender, receiver) = mpsc::channel();
        let forked = AtomicBool::new(false);
        urcu::stall::set_hook(move |_| {
            if forked.swap(true, Ordering::SeqCst) {
                return;
            }
            let process = fork();
            if process > 0 {
                return sender.send(process).unwrap();
            }
            crate::support::fork::limit_child();
            urcu::stall::set_timeout(Duration::MAX);
            CHILD.store(true, Ordering::SeqCst);
            *GUARD.lock().unwrap() = Some(DOMAIN.read_lock());
            // A grace period that the child's background thread begins.
            let grace_period = DOMAIN.start_poll();
            DOMAIN.call(|| ());
            if !waits_itself {
                // Behind this thread's back: it goes on as the parent's background thread.
                thread::spawn(|| check_in_child(&GUARD));
            }
            assert!(!grace_period.wait_timeout(Duration::from_millis(30)));
        });
        let (open, opened) = mpsc::channel();
        let holder = thread::spawn(move || {
            let guard = DOMAIN.read_lock();
            open.send(()).unwrap();
            let process: libc::pid_t = receiver.recv().unwrap();
            drop(guard);
            process
        });
        opened.recv().unwrap();
        if waits_itself {
            DOMAIN.synchronize();
        } else {
            DOMAIN.call(|| ());
        }
        if CHILD.load(Ordering::SeqCst) {
            check_in_child(&GUARD);
        }
        assert_ends_well(holder.join().unwrap());
        urcu::stall::remove_hook();
        domains().into_iter().for_each(use_everything);
    }
}

/// In a child that has a section open: it is waited for, until it ends.
fn check_in_child(guard: &Mutex<Option<ReadGuard<'static>>>) {
    crate::support::fork::child_does(|| {
        thread::scope(|scope| {
            let waits = scope.spawn(|| DOMAIN.synchronize());
            thread::sleep(Duration::from_millis(100));
            let early = waits.is_finished();
            drop(guard.lock().unwrap().take());
            assert!(
                !early,
                "a grace period of the child ended before its section"
            );
        });
        domains().into_iter().for_each(use_everything);
    })
}
