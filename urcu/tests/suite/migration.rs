//! Sections that begin on one CPU and end on another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::poison::LARGE;
use urcu_host::stamped::Stamped;

use crate::support::{SetOnDrop, assert_waits, length, skip};

#[test]
fn a_guard_may_begin_on_one_cpu_and_end_on_another() {
    let cpus = cpus();
    if cpus.len() < 2 {
        return skip("one CPU only");
    }
    let domain = Domain::new();
    for turn in 0..20 {
        assert!(run_on(&[cpus[turn % cpus.len()]]));
        let guard = domain.read_lock();
        assert!(run_on(&[cpus[(turn + 1) % cpus.len()]]));
        if turn % 4 == 0 {
            assert_waits(&domain, || drop(guard));
        } else {
            drop(guard);
            domain.synchronize();
        }
    }
    run_on(&cpus);
}

#[test]
fn guards_pile_up_on_one_cpu_and_end_on_another() {
    let cpus = cpus();
    if cpus.len() < 2 {
        return skip("one CPU only");
    }
    let domain = Domain::new();
    for _ in 0..50 {
        assert!(run_on(&[cpus[0]]));
        let guards: Vec<_> = (0..100).map(|_| domain.read_lock()).collect();
        assert!(run_on(&[cpus[1]]));
        drop(guards);
        domain.synchronize();
        // Sections of the other phase, begun and ended where the counters are not at rest.
        drop(domain.read_lock());
        assert!(run_on(&[cpus[0]]));
        drop(domain.read_lock());
    }
    let guard = domain.read_lock();
    assert_waits(&domain, || drop(guard));
    domain.synchronize();
    run_on(&cpus);
}

#[test]
fn readers_that_migrate_inside_their_sections_see_no_reclaimed_memory() {
    let cpus = &cpus();
    let domain = &Domain::named("migration");
    let cell = &Rcu::new_in(Stamped::<LARGE>::new(0), domain);
    let (over, errors, reads) = (
        &AtomicBool::new(false),
        &AtomicU64::new(0),
        &AtomicU64::new(0),
    );
    let (sender, receiver) = mpsc::channel::<urcu::Ref<'_, Stamped<LARGE>>>();
    let check = move |value: &Stamped<LARGE>| {
        reads.fetch_add(1, Ordering::Relaxed);
        if value.check().is_none() {
            errors.fetch_add(1, Ordering::SeqCst);
        }
    };
    thread::scope(|scope| {
        // Ends the sections of others, on every CPU in turn; until the writer needs none to end.
        scope.spawn(move || {
            let mut turn = 0;
            loop {
                match receiver.recv_timeout(Duration::from_millis(5)) {
                    Ok(seen) => {
                        turn += 1;
                        run_on(&[cpus[turn % cpus.len()]]);
                        check(&seen);
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                }
            }
        });
        for number in 0..2 {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut turn = number;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    let guard = domain.read_lock();
                    let value = cell.load(&guard);
                    run_on(&[cpus[turn % cpus.len()]]);
                    check(value);
                    let second = cell.read();
                    run_on(&[cpus[(turn + 1) % cpus.len()]]);
                    check(value);
                    drop(guard);
                    run_on(&[cpus[turn % cpus.len()]]);
                    check(&second);
                    check(&cell.snapshot());
                    if turn % 3 == 0 {
                        sender.send(second).unwrap();
                    }
                }
            });
        }
        drop(sender);
        let _over = SetOnDrop(over);
        let end = Instant::now() + length(400);
        let mut stamp = 0;
        while Instant::now() < end {
            stamp += 1;
            assert!(cell.replace(Stamped::new(stamp)).check().is_some());
        }
    });
    domain.synchronize();
    domain.synchronize();
    assert_eq!(errors.load(Ordering::SeqCst), 0);
    assert!(reads.load(Ordering::SeqCst) > 0);
}
