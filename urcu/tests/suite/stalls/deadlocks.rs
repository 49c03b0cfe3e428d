//! Threads that may wait for themselves, and guards that only look like it.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::stall::{self, Report};
use urcu::{Domain, ReadGuard};

use super::{DOMAIN, TRACED, reports};
use crate::support::in_a_process_of_its_own;

in_a_process_of_its_own! {
    a_thread_that_may_wait_for_itself_is_reported_once: child_that_waits_for_itself,
    a_thread_that_may_wait_for_itself_is_reported_when_a_stall_would_be: child_that_is_suspected_soon,
    a_guard_that_rests_elsewhere_is_waited_for: child_with_a_resting_guard,
    guards_that_move_are_no_deadlock: child_with_moving_guards,
}

#[test]
#[ignore = "a child process"]
fn child_that_waits_for_itself() {
    if !TRACED {
        return;
    }
    let file = |place: &std::panic::Location<'_>| place.file().ends_with("deadlocks.rs");
    let waits: [(fn(), u32); 4] = [
        (|| DOMAIN.synchronize(), line!()),
        (|| DOMAIN.start_poll().wait(), line!()),
        (
            || {
                DOMAIN.call(|| ());
                DOMAIN.barrier()
            },
            line!() - 2,
        ),
        (
            || assert_eq!(urcu::Rcu::new_in(1, &DOMAIN).replace(2), 1),
            line!() - 1,
        ),
    ];
    for (wait, wait_line) in waits {
        for follows in [false, true] {
            stall::set_timeout(Duration::from_millis(50));
            let reports = reports();
            let (guard, moved) = mpsc::channel::<ReadGuard<'static>>();
            // While another leads, or alone: it leads.
            let (ready, go) = mpsc::channel::<()>();
            let other = thread::spawn(move || {
                if follows {
                    go.recv().unwrap();
                    DOMAIN.synchronize();
                }
            });
            let line = line!() + 2;
            let waiter = thread::spawn(move || {
                guard.send(DOMAIN.read_lock()).unwrap();
                if follows {
                    ready.send(()).unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
                wait();
            });
            // Not used here, so for all that is known it is in that thread.
            let guard = moved.recv().unwrap();
            let suspicion = |report: &Report| report.deadlock.is_some();
            let report = reports.iter().find(suspicion).expect("a report");
            let deadlock = report.deadlock.clone().unwrap();
            let (section, wait) = (deadlock.section.place, deadlock.wait);
            assert!(file(section) && file(wait), "{report}");
            assert_eq!((section.line(), wait.line()), (line, wait_line), "{report}");
            let text = report.to_string();
            for part in [
                "RCU domain \"stalled\"",
                &section.to_string(),
                &wait.to_string(),
            ] {
                assert!(text.contains(part), "{text}: not {part}");
            }
            // Once, and it goes on.
            thread::sleep(Duration::from_millis(200));
            assert!(!waiter.is_finished());
            drop(guard);
            waiter.join().unwrap();
            other.join().unwrap();
            assert!(!reports.try_iter().any(|report| suspicion(&report)));
            DOMAIN.barrier();
        }
    }
    // Of another domain: none of this one's business. And never where nothing is to be reported.
    let reports = reports();
    let guard = urcu::read_lock();
    DOMAIN.synchronize();
    stall::set_timeout(Duration::MAX);
    let waiter = thread::spawn(|| {
        let guard = DOMAIN.read_lock();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(guard);
        });
        DOMAIN.synchronize();
        holder.join().unwrap();
    });
    waiter.join().unwrap();
    drop(guard);
    assert!(reports.try_recv().is_err());
}

#[test]
#[ignore = "a child process"]
fn child_with_a_resting_guard() {
    stall::set_timeout(Duration::from_millis(20));
    stall::set_hook(|_| ());
    static CELL: urcu::RcuOption<String> = urcu::RcuOption::empty();
    CELL.store(Some("a".into()));
    // Begun here, and read there: a correct program, of which little is seen here.
    let value = CELL.read().unwrap();
    let reader = thread::spawn(move || {
        for _ in 0..20 {
            assert_eq!(&*value, "a");
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(CELL.replace(Some("b".into())).unwrap(), "a");
    reader.join().unwrap();
}

#[test]
#[ignore = "a child process"]
fn child_that_is_suspected_soon() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    thread::spawn(|| {
        let _guard = DOMAIN.read_lock();
        DOMAIN.synchronize();
    });
    // Of the stall at once, and again at twice its age.
    let suspected = (0..2).any(|_| reports.recv().unwrap().deadlock.is_some());
    assert_eq!(suspected, TRACED);
}

#[test]
#[ignore = "a child process"]
fn child_with_moving_guards() {
    stall::set_timeout(Duration::from_millis(50));
    let reports = reports();
    static CELL: std::sync::OnceLock<urcu::Rcu<u64, &'static Domain>> = std::sync::OnceLock::new();
    let cell = CELL.get_or_init(|| urcu::Rcu::new_in(1, &DOMAIN));
    for _ in 0..3 {
        let guard: ReadGuard<'static> = DOMAIN.read_lock();
        let (used, is_used) = mpsc::channel();
        let holder = thread::spawn(move || {
            assert_eq!(*cell.load(&guard), 1);
            used.send(()).unwrap();
            thread::sleep(Duration::from_millis(300));
            drop(guard);
        });
        is_used.recv().unwrap();
        // This thread began the section, but another has it.
        DOMAIN.synchronize();
        holder.join().unwrap();
    }
    assert!(reports.try_iter().all(|report| report.deadlock.is_none()));
}
