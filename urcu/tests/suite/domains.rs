//! Domains are apart from one another, and may be dropped anywhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Rcu, ReadGuard};

use crate::support::{assert_child_passes, assert_waits, length, storm};

type Callback = Box<dyn FnOnce() + Send>;

/// A count, and a maker of callbacks that count.
fn counter() -> (Arc<AtomicUsize>, impl Fn() -> Callback) {
    let count = Arc::new(AtomicUsize::new(0));
    let other = Arc::clone(&count);
    (count, move || {
        let count = Arc::clone(&other);
        Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        })
    })
}

#[test]
fn a_guard_of_another_domain_panics_and_names_both() {
    let (mine, other, nameless) = (Domain::named("mine"), Domain::named("other"), Domain::new());
    let cell = Rcu::new_in(1, &mine);
    let message_for = |guard: &ReadGuard<'_>| {
        let payload = catch_unwind(AssertUnwindSafe(|| *cell.load(guard))).unwrap_err();
        *payload.downcast::<String>().expect("a message")
    };
    for (domain, name) in [
        (&other, "RCU domain \"other\""),
        (&nameless, "RCU domain at 0x"),
        (urcu::global(), "RCU domain \"global\""),
    ] {
        // Before it has had a grace period, and after.
        for _ in 0..2 {
            let guard = domain.read_lock();
            let message = message_for(&guard);
            assert!(message.contains("RCU domain \"mine\""), "{message}");
            assert!(message.contains(name), "{message}");
            assert!(message.contains(&domain.to_string()), "{message}");
            assert!(format!("{guard:?}").contains(&domain.to_string()));
            drop(guard);
            domain.synchronize();
        }
    }
    assert_eq!(*cell.load(&mine.read_lock()), 1);
    let global = Rcu::new(2);
    let guard = mine.read_lock();
    assert!(catch_unwind(AssertUnwindSafe(|| *global.load(&guard))).is_err());
}

#[test]
fn misuse_is_reported_where_it_was_written() {
    assert_child_passes("domains::child_with_misuses");
}

#[test]
#[ignore = "a child process of the test above: the panic hook is the process's"]
fn child_with_misuses() {
    static WHERE: Mutex<Option<(String, u32)>> = Mutex::new(None);
    let (mine, other) = (Domain::named("mine"), Domain::named("other"));
    let (cell, guard, cookie) = (Rcu::new_in(1, &mine), other.read_lock(), other.start_poll());
    let misuses: [(u32, &dyn Fn()); 4] = [
        (line!(), &|| assert_eq!(*cell.load(&guard), 1)),
        (line!(), &|| drop(cell.compare_exchange(&1, 2, &guard))),
        (line!(), &|| assert!(mine.poll(&cookie))),
        (line!(), &|| drop(Domain::named("a\0b"))),
    ];
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().expect("always known");
        *WHERE.lock().unwrap() = Some((place.file().into(), place.line()));
    }));
    for (line, misuse) in misuses {
        assert!(catch_unwind(AssertUnwindSafe(misuse)).is_err(), "{line}");
        let place = WHERE.lock().unwrap().take();
        assert_eq!(place, Some((file!().into(), line)));
    }
    // After a failed assertion above the message would be lost otherwise.
    drop(std::panic::take_hook());
}

#[test]
fn a_grace_period_waits_for_its_own_domain_alone() {
    let domains: Vec<Domain> = (0..100).map(|_| Domain::new()).collect();
    let guard = domains[50].read_lock();
    for (number, domain) in domains.iter().enumerate() {
        if number != 50 {
            drop(domain.read_lock());
            domain.synchronize();
        }
    }
    urcu::synchronize();
    assert_waits(&domains[50], || drop(guard));
}

#[test]
fn a_domain_may_move_between_its_sections() {
    let domain = Domain::new();
    drop(domain.read_lock());
    let boxed = Box::new(domain);
    boxed.call(|| ());
    let domain = *boxed;
    let guard = domain.read_lock();
    assert_waits(&domain, || drop(guard));
    thread::spawn(move || drop(domain)).join().unwrap();
}

#[test]
fn a_first_use_by_many_threads_at_once_makes_one_domain() {
    for _ in 0..50 {
        let (domain, start) = (Domain::new(), Barrier::new(4));
        let guards: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        domain.read_lock()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let cell = Rcu::new_in(1, &domain);
        guards
            .iter()
            .for_each(|guard| assert_eq!(*cell.load(guard), 1));
        drop(guards);
        domain.synchronize();
    }
}

#[test]
fn dropping_a_domain_runs_its_callbacks() {
    let (count, callback) = counter();
    for _ in 0..20 {
        let domain = Domain::new();
        for _ in 0..10 {
            domain.call(callback());
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 200);
}

#[test]
fn dropping_an_unused_domain_does_nothing() {
    drop(Domain::new());
    drop(Domain::default());
}

#[test]
fn a_callback_may_drop_another_domain() {
    let (count, callback) = counter();
    let domain = Domain::new();
    for used in [false, true] {
        let other = Domain::new();
        if used {
            (0..10).for_each(|_| other.call(callback()));
        }
        domain.call(move || drop(other));
        domain.call(callback());
    }
    domain.barrier();
    assert_eq!(count.load(Ordering::SeqCst), 12);
}

#[test]
fn a_callback_may_drop_its_own_domain() {
    for before in [0, 1, 5] {
        for after in [0, 1, 5] {
            let (count, callback) = counter();
            let (sender, receiver) = mpsc::channel::<()>();
            let domain = Arc::new(Domain::new());
            let guard = domain.read_lock();
            (0..before).for_each(|_| domain.call(callback()));
            let (last, done) = (Arc::clone(&domain), callback());
            domain.call(move || {
                done();
                drop(last);
                drop(sender);
            });
            (0..after).for_each(|_| domain.call(callback()));
            drop(guard);
            drop(domain);
            // Disconnected when the callback is over.
            let over = receiver.recv_timeout(Duration::from_secs(20));
            assert_eq!(over, Err(mpsc::RecvTimeoutError::Disconnected));
            // The callback thread is done with that domain when it has run one of another.
            urcu::call(|| ());
            urcu::barrier();
            assert_eq!(count.load(Ordering::SeqCst), before + after + 1);
        }
    }
}

#[test]
fn a_domain_that_goes_in_a_chain_of_callbacks_goes_once() {
    let (count, callback) = counter();
    // The callback of the first drops the second, whose callback drops the first.
    let (first, second) = (Arc::new(Domain::new()), Arc::new(Domain::new()));
    let (one, two) = (Arc::clone(&first), Arc::clone(&second));
    let (guard, hold) = (first.read_lock(), second.read_lock());
    let (done, also) = (callback(), callback());
    second.call(move || {
        also();
        drop(one);
    });
    first.call(move || {
        done();
        drop(two);
    });
    first.call(callback());
    second.call(callback());
    drop((guard, hold));
    drop((first, second));
    for _ in 0..2_000 {
        if count.load(Ordering::SeqCst) == 4 {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    urcu::call(|| ());
    urcu::barrier();
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn domains_come_and_go_under_load() {
    let (count, callback) = counter();
    let callback = &callback;
    let made = AtomicUsize::new(0);
    storm(length(200), 4, |number| {
        let domain = Arc::new(Domain::new());
        let cell = Rcu::new_in([number; 3], &*domain);
        cell.store([number; 3]);
        assert_eq!(*cell.read(), cell.snapshot());
        drop(cell);
        let last = Arc::clone(&domain);
        // Whoever is last drops it: this thread or the callback.
        let callback = callback();
        domain.call(move || {
            callback();
            drop(last);
        });
        made.fetch_add(1, Ordering::SeqCst);
    });
    urcu::call(|| ());
    urcu::barrier();
    for _ in 0..2_000 {
        if count.load(Ordering::SeqCst) == made.load(Ordering::SeqCst) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!(
        "{} of {} callbacks",
        count.load(Ordering::SeqCst),
        made.load(Ordering::SeqCst)
    );
}

#[test]
fn a_domain_shows_its_name() {
    assert_eq!(Domain::named("x").to_string(), "RCU domain \"x\"");
    assert_eq!(urcu::global().to_string(), "RCU domain \"global\"");
    assert!(Domain::new().to_string().starts_with("RCU domain at "));
}
